// Makes arguments fit the tool's schema where what was meant is plain: numbers and booleans written as text, a value where a list is wanted,
// numbers out of range, words that are nearly one of an enumeration, names in another case; drops what a closed schema does not know and
// fills in defaults of what is required.
export const meta = { name: "argument_normaliser", group: "argument_normaliser", dimension: "tools", params: { nearness: 0.6 } };

const isNumber = (text) => typeof text === "string" && text.trim() !== "" && Number.isFinite(Number(text));
const plain = (name) => name.toLowerCase().replace(/[^a-z0-9]/g, "");

/** The nearest of an enumeration, if near enough. */
function nearest(value, options, api) {
  const likeness = (option) => api.text.similarity(String(option).toLowerCase(), String(value).toLowerCase());
  const [best] = [...options].sort((one, two) => likeness(two) - likeness(one));
  return likeness(best) >= api.params.nearness ? best : value;
}

function inRange(number, schema) {
  const low = Math.max(number, schema.minimum ?? number);
  return Math.min(low, schema.maximum ?? low);
}

function fitted(value, schema, api) {
  if (schema.enum && !schema.enum.includes(value)) return nearest(value, schema.enum, api);
  switch (schema.type) {
    case "integer":
    case "number": {
      const number = isNumber(value) ? Number(value) : value;
      if (typeof number !== "number") return value;
      return inRange(schema.type === "integer" ? Math.round(number) : number, schema);
    }
    case "boolean":
      return /^(true|yes)$/i.test(value) ? true : /^(false|no)$/i.test(value) ? false : value;
    case "string":
      return typeof value === "number" || typeof value === "boolean" ? String(value) : value;
    case "array": {
      const list = typeof value === "string" ? api.json.find(value) ?? value : value;
      return (Array.isArray(list) ? list : [list]).map((item) => fitted(item, schema.items ?? {}, api));
    }
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value) ? fittedAll(value, schema, api) : value;
    default:
      return value;
  }
}

function fittedAll(args, schema, api) {
  const known = schema.properties ?? {};
  const result = {};
  for (const [given, value] of Object.entries(args)) {
    const name = given in known ? given : Object.keys(known).find((name) => plain(name) === plain(given) && !(name in args)) ?? given;
    if (name in known) result[name] = fitted(value, known[name], api);
    else if (schema.additionalProperties !== false) result[name] = value;
  }
  for (const name of schema.required ?? []) {
    if (!(name in result) && known[name]?.default !== undefined) result[name] = known[name].default;
  }
  return result;
}

export const hooks = {
  before_tool(event, state, api) {
    const tool = event.tools.find((tool) => tool.name === event.call.name);
    if (!tool) return;
    const args = fittedAll(event.call.arguments, tool.schema, api);
    if (JSON.stringify(args) !== JSON.stringify(event.call.arguments)) return { replace: { arguments: args } };
  },
};
