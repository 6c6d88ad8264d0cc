// Shortens long tool results to their first lines, the lines that share a word with the task (with their neighbours), and the last line.
// What was left out is counted, so that the agent knows that there is more.
export const meta = {
  name: "result_summary",
  group: "result_summary",
  dimension: "context_assembly",
  params: { most_tokens: 400, head: 3, around: 1, letters: 300, shortest_word: 4 },
};

const wordsOf = (text, shortest) => (text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).filter((word) => word.length >= shortest);

export const hooks = {
  after_tool(event, state, api) {
    const { most_tokens, head, around, letters, shortest_word } = api.params;
    if (api.tokens(event.result.text) <= most_tokens) return;
    const goal = new Set(wordsOf(event.task, shortest_word));
    const lines = event.result.text.split("\n");
    const isTelling = lines.map((line) => wordsOf(line, shortest_word).some((word) => goal.has(word)));
    const isKept = (index) => index < head || index === lines.length - 1 || isTelling.slice(Math.max(0, index - around), index + around + 1).some(Boolean);
    const kept = [];
    let left = most_tokens;
    let omitted = 0;
    const mark = () => {
      if (omitted > 0) kept.push(`[… ${omitted} ${omitted === 1 ? "line" : "lines"} left out]`);
      omitted = 0;
    };
    lines.forEach((line, index) => {
      const short = api.text.truncate(line, letters);
      if (!isKept(index) || api.tokens(short) > left) {
        omitted += 1;
        return;
      }
      mark();
      kept.push(short);
      left -= api.tokens(short);
    });
    mark();
    return { replace: { result: { text: kept.join("\n"), is_error: event.result.is_error } } };
  },
};
