// Asks the service for an answer, and can stop: then the service stops the prediction.

let asking; // what is being answered

// The answer or the problem, and how long it took; nothing once stopped, or asked something newer.
export async function ask({ api, url, body, parts, shape }) {
  stop();
  const mine = (asking = new AbortController());
  const begun = performance.now();
  const form = new FormData();
  for (const { kind, name, value, file } of parts) {
    if (kind === "text") form.append(name, value);
    else if (file instanceof File) form.append(name, file);
  }
  const json = { headers: { "Content-Type": "application/json" }, body };
  const post = { method: "POST", ...(shape === "form" ? { body: form } : json) };
  const { signal } = mine;
  try {
    const response = await (shape === "link"
      ? fetch(url, { signal })
      : fetch(api, { ...post, signal }));
    const text = await response.text();
    return { response, text, seconds: (performance.now() - begun) / 1000 };
  } catch (error) {
    return signal.aborted ? null : { error };
  } finally {
    if (asking === mine) asking = undefined;
  }
}

export function stop() {
  asking?.abort();
}
