// The output of a task in a terminal of VS Code: its tail first, then what comes.
import * as vscode from 'vscode';
import type { OutputEvent, Task } from '../../../../schema/jobline';
import { Cleaner } from './ansi';
import { type Heard, Refused } from './connection';
import type { Queue } from './queue';
import { type Offsets, ordersStreams, readPart, streams } from './written';

const flushEvery = 50; // milliseconds in which output is gathered for the terminal
const mostGathered = 256 << 10; // characters that are shown of one such time; the oldest go
const mostWaiting = 1 << 20; // characters of events that wait while the past is read

/** Follows the output of tasks whose terminals are open, with one subscription for all. */
export class Follower {
  private readonly open = new Map<string, Set<TaskTerminal>>();
  private subscription: number | undefined;
  private turn: Promise<void> = Promise.resolve();

  constructor(private readonly queue: Queue) {
    queue.onEvent((event) => {
      if ('id' in event.params) this.open.get(event.params.id)?.forEach((terminal) => terminal.hear(event));
    });
    queue.onConnection(() => {
      this.subscription = undefined; // it was the lost connection's
      if (queue.lost) return;
      void this.subscribe().catch(() => undefined);
      this.open.forEach((terminals) => terminals.forEach((terminal) => void terminal.catchUp()));
    });
  }

  follow(id: string, terminal: TaskTerminal): Promise<void> {
    this.open.set(id, (this.open.get(id) ?? new Set()).add(terminal));
    return this.subscribe();
  }

  leave(id: string, terminal: TaskTerminal): void {
    const terminals = this.open.get(id);
    if (!terminals?.delete(terminal)) return;
    if (terminals.size === 0) this.open.delete(id);
    void this.subscribe().catch(() => undefined); // the connection is lost, and the subscription with it
  }

  /** Asks for the output of what is open now, and only then no longer for what was open before. */
  private subscribe(): Promise<void> {
    return this.turn = this.turn.catch(() => undefined).then(async () => {
      const ids = [...this.open.keys()].slice(-1000), before = this.subscription;
      const after = ids.length > 0 ? await this.queue.call('subscribe', { ids, events: ['output'] }) : undefined;
      if (before !== undefined && this.subscription === before) await this.queue.call('unsubscribe', { subscription: before });
      this.subscription = after?.subscription;
    });
  }
}

export class TaskTerminal implements vscode.Pseudoterminal {
  private readonly written = new vscode.EventEmitter<string>();
  readonly onDidWrite = this.written.event;
  private readonly closed = new vscode.EventEmitter<number>();
  readonly onDidClose = this.closed.event;
  /** The task, once it is known. */
  id: string | undefined;
  private readonly cleaner = new Cleaner();
  private next: Offsets | undefined; // where the output goes on that was not shown
  private ordered = false;
  private waiting: OutputEvent[] | undefined = []; // while the past is read
  private waitingSize = 0;
  private reading: Promise<void> | undefined;
  private gathered = '';
  private leftOut = 0;
  private flushing: NodeJS.Timeout | undefined;
  private over = false;
  private interrupted = false; // by Ctrl-C, which may come before the task is known

  /** task answers the id of the task, which it may submit; ends says whether the end of the task ends the terminal. */
  constructor(private readonly queue: Queue, private readonly follower: Follower, private readonly task: () => Promise<string>, private readonly ends: boolean) {}

  open(): void {
    void this.begin().catch((error: Error) => this.finish(`${error.message}`, 1));
  }

  close(): void {
    this.over = true;
    clearTimeout(this.flushing);
    if (this.id) this.follower.leave(this.id, this);
  }

  handleInput(text: string): void {
    if (text !== '\x03' || this.over) return;
    this.interrupted = true;
    if (this.id) this.cancel(this.id);
  }

  private cancel(id: string): void {
    void this.queue.call('cancel', { id }).catch((error: Error) => this.show(`\n[${error.message}]\n`));
  }

  hear(event: Heard): void {
    if (event.method === 'task/finished') void this.catchUp();
    if (event.method === 'task/output') this.take(event.params);
  }

  private take(event: OutputEvent): void {
    if (!this.waiting) this.piece(event);
    else if ((this.waitingSize += event.data.length) <= mostWaiting) this.waiting.push(event);
  }

  /** Shows what was written and not shown yet, and the end where the task has ended. */
  catchUp(): Promise<void> {
    this.waiting ??= [];
    return this.reading = (this.reading ?? Promise.resolve()).then(async () => {
      if (!this.id || this.over) return;
      this.waiting ??= [];
      const task = await this.queue.call('status', { id: this.id, includeInput: true });
      this.ordered = ordersStreams(task);
      await this.rest(this.id, task);
      const events = this.waiting;
      this.waiting = undefined;
      this.waitingSize = 0;
      events.forEach((event) => this.take(event)); // the first of them may have to wait for more of the past
      if (task.finishedAt) this.finish(endOf(task), task.state === 'completed' ? 0 : task.error?.exitCode ?? 1);
    }).catch((error: Error) => {
      if (error instanceof Refused) this.finish(error.message, 1); // else it goes on with the next connection
    });
  }

  private async begin(): Promise<void> {
    this.id = await this.task();
    if (this.interrupted) this.cancel(this.id);
    if (this.over) return;
    await this.follower.follow(this.id, this);
    await this.catchUp();
  }

  /** Shows what is not shown yet, or the tail of it where that is longer. */
  private async rest(id: string, { outputBytes }: Task): Promise<void> {
    const tail = vscode.workspace.getConfiguration('jobline').get<number>('tailBytes') ?? 1 << 20, before = this.next;
    if (before && streams.some((stream) => (outputBytes?.[stream] ?? 0) - before[stream] > tail)) this.next = undefined;
    for (let more = true; more && !this.over;) {
      const part = await readPart(this.queue, id, this.next ?? tail, this.ordered);
      if (part.missing > 0) this.show(`[${part.missing} bytes before this are not shown${this.next ? '' : '; "Jobline: Open Whole Output" has what is kept'}]\n`);
      this.show(this.next || part.missing === 0 ? part.text : part.text.slice(part.text.indexOf('\n') + 1));
      more = part.more;
      this.next = part.next;
    }
  }

  private piece(event: OutputEvent): void {
    const next = this.next;
    if (!next || (this.ordered && event.stream === 'log')) return;
    const seen = next[event.stream] - event.offset;
    if (seen < 0) {
      void this.catchUp(); // something was skipped, and may still be kept
      return;
    }
    const bytes = Buffer.from(event.data, event.encoding);
    if (seen >= bytes.length) return;
    next[event.stream] = event.offset + bytes.length;
    this.show(seen === 0 && event.encoding === 'utf8' ? event.data : bytes.toString('utf8', seen));
  }

  private show(text: string): void {
    this.gathered += text;
    if (this.gathered.length > mostGathered) {
      this.leftOut += this.gathered.length - mostGathered;
      this.gathered = this.gathered.slice(-mostGathered);
    }
    this.flushing ??= setTimeout(() => this.flush(), flushEvery);
  }

  private flush(): void {
    clearTimeout(this.flushing);
    this.flushing = undefined;
    const note = this.leftOut > 0 ? `\n[${this.leftOut} characters left out: too fast to be shown]\n` : '';
    const text = this.cleaner.clean(note + this.gathered);
    this.gathered = '';
    this.leftOut = 0;
    if (text) this.written.fire(text);
  }

  private finish(words: string, code: number): void {
    if (this.over) return;
    this.show(`\n[${words}]\n`);
    this.flush();
    this.close();
    if (this.ends) this.closed.fire(code);
  }
}

/** How a task has ended, in words. */
export function endOf(task: Task): string {
  const seconds = task.startedAt && task.finishedAt ? ` after ${((Date.parse(task.finishedAt) - Date.parse(task.startedAt)) / 1000).toFixed(1)} s` : '';
  return `${task.type} ${task.state}${seconds}${task.error ? ': ' + task.error.message : ''}`;
}
