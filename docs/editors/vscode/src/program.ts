// The program: where it is, and its commands that do what the protocol leaves to a client.
import { spawn } from 'node:child_process';
import * as vscode from 'vscode';
import { Lost } from './connection';

/** The settings: which program, and which queue. */
export function settings(): { program: string; args: string[]; cwd: string | undefined } {
  const own = vscode.workspace.getConfiguration('jobline');
  const cwd = vscode.workspace.workspaceFolders?.find((folder) => folder.uri.scheme === 'file')?.uri.fsPath;
  return { program: own.get<string>('path') || 'jobline', args: own.get<string[]>('args') ?? [], cwd };
}

interface Options {
  /** What the program reads. Where it is not given, stdin stays open. */
  stdin?: string;
  /** Gets what the program writes, in place of the answer. */
  heard?: (text: string) => void;
  /** Ends the program. */
  signal?: AbortSignal;
}

/** Runs a command of the program. It answers what was written, or throws why that failed. */
export async function runProgram(words: string[], { stdin, heard, signal }: Options = {}): Promise<string> {
  let out = '', err = '';
  const { program, args, cwd } = settings();
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(VSCODE|ELECTRON)_/.test(name)));
  const child = spawn(program, [...words, ...args], { cwd, env, signal });
  child.stdout.setEncoding('utf8').on('data', heard ?? ((text: string) => { out += text; }));
  child.stderr.setEncoding('utf8').on('data', (text: string) => { err += text; });
  child.stdin.on('error', () => undefined); // the program has ended, which tells more
  if (stdin !== undefined) child.stdin.end(stdin);
  const code = await new Promise((resolve, reject) => child.on('close', resolve).on('error', reject));
  if (code === 0) return out;
  const why = err.split('\n')[0]?.replace(/^jobline: (line 1: )?/, '') || `${program} has ended with ${String(code)}`;
  throw code === 1 ? new Lost(why) : new Error(why); // 1 says that the server could not answer
}
