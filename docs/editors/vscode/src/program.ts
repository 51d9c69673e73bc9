// The program: where it is, and how its commands are run.
import { spawn } from 'node:child_process';
import type { Writable } from 'node:stream';
import * as vscode from 'vscode';

/** The settings: which program, and which queue. */
export function settings(): { program: string; args: string[]; cwd: string | undefined } {
  const own = vscode.workspace.getConfiguration('jobline');
  const cwd = vscode.workspace.workspaceFolders?.find((folder) => folder.uri.scheme === 'file')?.uri.fsPath;
  return { program: own.get<string>('path') || 'jobline', args: own.get<string[]>('args') ?? [], cwd };
}

/** The queue could not be asked. The message names the cure. */
export class Lost extends Error {}

interface Options {
  /** What the program reads, or a function that gets its stdin while it runs. */
  stdin?: string | ((to: Writable) => void);
  /** Gets what the program writes, in place of the answer. An error of it ends the program. */
  heard?: (text: string) => void;
}

/** Runs a command of the program. It answers what was written, or throws why that failed. */
export async function runProgram(words: string[], { stdin = '', heard }: Options = {}): Promise<string> {
  let out = '', err = '';
  const { program, args, cwd } = settings();
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(VSCODE|ELECTRON)_/.test(name)));
  const child = spawn(program, [...words, ...args], { cwd, env });
  child.stderr.setEncoding('utf8').on('data', (text: string) => { err = (err + text).slice(-4096); });
  child.stdin.on('error', () => undefined); // the program has ended, which tells more
  if (typeof stdin === 'string') child.stdin.end(stdin);
  else stdin(child.stdin);
  const code = await new Promise((resolve, reject) => {
    child.on('close', resolve);
    child.on('error', ({ code }: NodeJS.ErrnoException) => {
      const what = code === 'ENOENT' ? `there is no ${program}` : `${program} cannot be started (${code})`;
      reject(new Lost(`${what}: install jobline, or set jobline.path to its file`));
    });
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      try {
        if (heard) heard(text);
        else out += text;
      } catch (error) {
        reject(error as Error);
        child.kill();
      }
    });
  });
  if (code === 0) return out;
  const why = err.split('\n')[0]?.replace(/^jobline: (line 1: )?/, '') || `${program} has ended with ${String(code)}`;
  if (/unknown (command|flag)/.test(err)) throw new Lost(`this jobline is too old (${why}): install a newer one`);
  throw code === 1 ? new Lost(why) : new Error(why); // 1 says that the server could not answer
}
