// The entry: what happens when.

import { send, show } from "./answer.js";
import { refresh } from "./calls.js";
import { mark, notJson, page, request } from "./form.js";

let latest = 0;

page.addEventListener("submit", async (event) => {
  event.preventDefault();
  const mine = ++latest; // an answer that comes after a newer question is not shown
  const faults = notJson();
  mark(faults);
  if (Object.keys(faults).length) return show("bad", "Not sent: a field is not JSON.");
  show("busy", "Running…");
  const failed = (error) => ({ state: "bad", status: "No answer came.", text: error.message });
  const result = await send(request()).catch(failed);
  if (mine !== latest) return;
  show(result.state, result.status, result.text);
  mark(result.reasons ?? {});
});

page.querySelector("form").noValidate = true; // the service knows best what is valid, and says why
page.addEventListener("input", () => refresh(request()));
refresh(request());
