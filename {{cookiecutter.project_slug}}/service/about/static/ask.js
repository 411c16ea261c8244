// Asks the service, and reads what it says.

// A response and its text; what is wrong, if it is no answer.
export async function ask(address, options) {
  const response = await fetch(address, options);
  const text = await response.text();
  const isProblem = response.headers.get("Content-Type")?.includes("problem+json");
  const said = isProblem ? JSON.parse(text) : { title: "", detail: text };
  return { response, text, problem: response.ok ? null : said };
}

export const post = (type, body) => ({ method: "POST", headers: { "Content-Type": type }, body });
