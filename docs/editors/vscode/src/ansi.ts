// What a task writes is text of a stranger. Of its control characters only these reach the
// terminal: colours, "erase the line", tab, newline and carriage return.
const sequences = /\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\|(?=\x1b)|$)|[ -/]*[0-Z\\`-~])|[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f-\x9f]/g;
const kept = /^\x1b\[[0-9;:]*[mK]$/;
const unfinished = /\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?|[ -/]*)$/;
const longest = 4096; // characters of a sequence that is waited for

/** Makes text fit for a terminal, piece by piece. */
export class Cleaner {
  private held = ''; // a sequence, or a carriage return, whose rest has not come

  clean(piece: string): string {
    let text = this.held + piece;
    const cut = unfinished.exec(text.slice(-longest));
    this.held = cut?.[0] ?? '';
    text = text.slice(0, text.length - this.held.length);
    return text.replace(sequences, (found) => (kept.test(found) ? found : '')).replace(/\r?\n/g, '\r\n');
  }
}

/** Makes text fit for an editor: without colours, and of each line its last state. */
export function plain(text: string): string {
  return text.replace(sequences, '').replace(/\r\n/g, '\n').replace(/^.*\r(?=.)/gm, '').replace(/\r/g, '');
}
