// Runs in every instance before its script, and keeps what it needs of the language to itself, so that a script that bends a prototype
// bends nothing but its own work. Returns `accept`, which makes an event of what was sent and keeps the history, `settle`, which freezes what
// the script's module holds, and `api`.
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
  const { defineProperty, preventExtensions } = Object;
  const { ownKeys, getOwnPropertyDescriptor } = Reflect;
  const unbound = (method) => Function.prototype.call.bind(method);
  const [Maps, WeakMaps, Sets, Seen, Patterns] = [Map, WeakMap, Set, WeakSet, RegExp];
  const changes = ["set", "add", "delete", "clear"];
  const [has, add] = [unbound(WeakSet.prototype.has), unbound(WeakSet.prototype.add)];
  const [ofMap, ofSet] = [unbound(Map.prototype.forEach), unbound(Set.prototype.forEach)];
  const [textOf, endsWith] = [unbound(Function.prototype.toString), unbound(String.prototype.endsWith)];
  const refuse = () => { throw new TypeError("object is not extensible"); };
  // A regular expression has to be able to move: it begins anew with every event.
  const patterns = [];
  // Freezes values and all that they hold, but for functions of the language itself and what is only reached through them.
  const settle = function () {
    const seen = new Seen();
    const todo = slice(arguments);
    const next = (value) => { todo[todo.length] = value; };
    const both = (value, key) => { next(value); next(key); };
    for (let at = 0; at < todo.length; at += 1) {
      const value = todo[at];
      if ((typeof value !== "object" || value === null) && typeof value !== "function" || has(seen, value)) continue;
      add(seen, value);
      if (typeof value === "function" && endsWith(textOf(value), "[native code]\n}")) continue;
      if (value instanceof Maps) ofMap(value, both);
      if (value instanceof Sets) ofSet(value, next);
      if (value instanceof Maps || value instanceof Sets || value instanceof WeakMaps || value instanceof Seen) {
        for (let index = 0; index < changes.length; index += 1) defineProperty(value, changes[index], { value: refuse });
      }
      const names = ownKeys(value);
      for (let index = 0; index < names.length; index += 1) {
        const { value: held, get, set } = getOwnPropertyDescriptor(value, names[index]);
        next(held);
        next(get);
        next(set);
      }
      if (value instanceof Patterns) patterns[patterns.length] = preventExtensions(value);
      else freeze(value);
    }
  };
  const history = [];
  let task;
  let tags;
  let tools;
  let actions;
  const accept = function (sent) {
    for (let index = 0; index < patterns.length; index += 1) patterns[index].lastIndex = 0;
    // What a tool is sent are its arguments.
    if (callTool !== undefined) return sent;
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
  return { accept, settle, api: deep(api) };
})
