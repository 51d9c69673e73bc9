// The queue, as the program tells this window of it: one process `jobline view`, which is started when
// it is first needed, finds the server again where it was lost, and remembers the tasks of this window.
import type { Writable } from 'node:stream';
import * as vscode from 'vscode';
import type { State } from '../../../../schema/jobline';
import { Lost, runProgram } from './program';

const mostRows = 500; // the newest tasks, and those that run

/** A task in words. */
export interface Row {
  id: string;
  title: string; // what it does
  state: State;
  status: string; // the state, with how far it is or why it failed
  waits?: string;
  time?: string;
  created: number; // in seconds of Unix
  percent?: number;
  message?: string;
  exitCode?: number;
  error?: string;
}

/** A part of the output of a task. */
export interface Output {
  id: string;
  clear?: boolean; // it begins anew
  text?: string;
  ended?: Row; // all is shown
  error?: string; // no more can be shown
}

/** A line of the program, which has one of these. */
interface Told {
  rows?: { set: Row[]; gone: string[]; whole?: boolean };
  ended?: Row;
  away?: { text: string };
  say?: { text: string; level: 'error' | 'info' };
  connected?: boolean;
  output?: Output;
}

type Follower = (output: Output) => void;

export class Queue implements vscode.Disposable {
  /** A task has changed, or the connection was made or lost. */
  readonly changed = new vscode.EventEmitter<void>();
  /** A task of this window, or one whose output is shown, has ended. It may be told twice. */
  readonly finished = new vscode.EventEmitter<Row>();
  /** What became of the window's tasks while it was closed, or the server away. */
  readonly finishedAway = new vscode.EventEmitter<string>();
  /** The tasks by their ids. */
  readonly rows = new Map<string, Row>();
  /** Why there is no connection, if it was lost. */
  lost: string | undefined;
  private readonly followers = new Map<string, Set<Follower>>();
  private ready: Promise<void> | undefined; // the program has told of all tasks
  private stdin: Writable | undefined;
  private running: Promise<void> | undefined;
  private unfinished = ''; // the beginning of a line
  private disposed = false;

  /** It begins at once where tasks of an earlier session are left. */
  constructor() { this.start('--resume').catch(() => undefined); } // the status bar shows it

  /** Waits until all tasks are known. */
  async connect(): Promise<void> {
    try {
      await (this.ready ?? this.start());
    } catch (error) {
      if ((error as Error).message) throw error;
      await (this.ready ?? this.start()); // nothing was left of an earlier session
    }
  }

  /** Whether the times of tasks are wanted, since a person sees them. */
  watch(on: boolean): void {
    if (!on) this.tell('list off');
    else this.connect().then(() => this.tell('list on'), () => undefined); // the status bar shows it
  }

  /** Makes a task one of this window, so that its end is told, also to the next session. */
  own(id: string): void { this.tell(`mine ${id}`); }

  /** Has the output of a task told, from its last bytes on. */
  follow(id: string, bytes: number, follower: Follower): vscode.Disposable {
    const all = this.followers.get(id) ?? new Set();
    this.followers.set(id, all.add(follower));
    this.tell(`open ${id} ${bytes}`);
    return new vscode.Disposable(() => {
      if (!all.delete(follower) || all.size > 0) return;
      this.followers.delete(id);
      this.tell(`close ${id}`);
    });
  }

  /** Ends the program; the tasks go on. */
  async shutdown(): Promise<void> {
    this.dispose();
    await this.running;
  }

  dispose(): void {
    this.disposed = true;
    this.stdin?.end();
  }

  private tell(line: string): void {
    if (!this.disposed) this.stdin?.write(line + '\n');
  }

  private start(...words: string[]): Promise<void> {
    if (this.disposed) return Promise.reject(new Lost('this window is closing'));
    this.unfinished = '';
    this.ready = new Promise<void>((resolve, reject) => {
      const known = this.changed.event(() => { if (!this.lost) resolve(); });
      const program = runProgram(['view', '--name', 'vscode', '--raw', '--limit', String(mostRows), ...words], {
        stdin: (to) => { this.stdin = to; }, heard: (text) => this.read(text),
      });
      this.running = program.then(() => '', (error: Error) => error.message).then((why) => {
        known.dispose();
        this.ready = this.stdin = undefined;
        reject(new Lost(why));
        if (!why || this.disposed) return;
        this.lost = why;
        this.changed.fire();
        this.followers.forEach((all, id) => all.forEach((follower) => follower({ id, error: why })));
      });
    });
    return this.ready;
  }

  private read(text: string): void {
    const lines = (this.unfinished + text).split('\n');
    this.unfinished = lines.pop() ?? '';
    for (const line of lines) if (!this.disposed) this.take(parsed(line));
  }

  private take({ rows, ended, away, say, connected, output }: Told): void {
    if (rows?.whole) this.rows.clear();
    rows?.gone.forEach((id) => this.rows.delete(id));
    rows?.set.forEach((row) => this.rows.set(row.id, row));
    const end = ended ?? output?.ended;
    if (end) this.finished.fire(end);
    if (away) this.finishedAway.fire(away.text);
    if (output) this.followers.get(output.id)?.forEach((follower) => follower(output));
    if (say?.level === 'info') void vscode.window.showInformationMessage(`Jobline: ${say.text}`);
    else if (say) this.lost = say.text;
    if (rows || connected) this.lost = undefined;
    if (rows || this.lost) this.changed.fire();
  }
}

export const isEnded = ({ state }: Row): boolean => state !== 'queued' && state !== 'running';

function parsed(line: string): Told {
  try {
    return JSON.parse(line) as Told;
  } catch {
    const what = `the program writes what is no message of jobline (${JSON.stringify(line.slice(0, 80))})`;
    throw new Lost(`${what}: set jobline.path to the file of jobline`);
  }
}
