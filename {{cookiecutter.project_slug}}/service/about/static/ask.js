// Asks the service, and reads what it says.

// A response and its text; what is wrong, if it is no answer.
export async function ask(address, options) {
  const response = await fetch(address, options);
  const { headers, ok, status } = response;
  const text = await response.text();
  const isProblem = headers.get("Content-Type")?.includes("problem+json");
  const said = isProblem ? JSON.parse(text) : { status, title: "", detail: text };
  return { headers, text, problem: ok ? null : said };
}

export const post = (type, body) => ({ method: "POST", headers: { "Content-Type": type }, body });
