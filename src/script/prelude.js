// Runs in every instance before its script, and keeps what it needs of the language to itself, so that a script that bends a prototype
// bends nothing but its own work. Returns `accept`, which makes an event of what was sent and keeps the history, and `api`.
(function (native, params, callTool) {
  "use strict";
  const { freeze, keys } = Object;
  const slice = Function.prototype.call.bind(Array.prototype.slice);
  delete Math.random;
  const deep = function (value) {
    if (typeof value === "object" && value !== null) {
      const names = keys(value);
      for (let index = 0; index < names.length; index += 1) deep(value[names[index]]);
      freeze(value);
    }
    return value;
  };
  const history = [];
  let task;
  let tags;
  let tools;
  let actions;
  const accept = function (sent) {
    const event = sent.event;
    if (sent.task !== undefined) task = sent.task;
    if (sent.tags !== undefined) tags = deep(sent.tags);
    event.task = task;
    event.tags = tags;
    if (sent.tools !== undefined) {
      if (sent.tools !== 0) tools = deep(sent.tools);
      event.tools = tools;
    }
    if (sent.actions !== undefined) {
      if (sent.actions !== 0) actions = deep(sent.actions);
      event.actions = actions;
    }
    if (sent.turns !== undefined) {
      const { kept, added } = sent.turns;
      history.length = kept;
      for (let index = 0; index < added.length; index += 1) history[kept + index] = deep(added[index]);
      event.turns = slice(history);
    }
    return event;
  };
  const json = JSON.parse;
  const api = {
    params: deep(params),
    tokens: native.tokens,
    text: { normalise: native.normalise, truncate: native.truncate, similarity: native.similarity },
    json: { find: (text) => { const found = native.find(text); return found === undefined ? undefined : json(found); } },
    regex: { escape: native.escape, all: (pattern, text) => json(native.all(pattern, text)) },
    choose: (items, key) => items[native.draw(key, items.length)],
  };
  if (callTool !== undefined) api.call = (tool, args) => json(callTool(tool, args === undefined ? "{}" : JSON.stringify(args)));
  return { accept, api: deep(api) };
})
