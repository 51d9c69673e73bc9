// The program: where it is, and its commands that do what the protocol leaves to a client.
import { execFile } from 'node:child_process';
import * as vscode from 'vscode';
import { Lost } from './connection';

/** The settings: which program, and which queue. */
export function settings(): { program: string; args: string[]; cwd: string | undefined } {
  const own = vscode.workspace.getConfiguration('jobline');
  const cwd = vscode.workspace.workspaceFolders?.find((folder) => folder.uri.scheme === 'file')?.uri.fsPath;
  return { program: own.get<string>('path') || 'jobline', args: own.get<string[]>('args') ?? [], cwd };
}

/** The environment of the editor, without what the editor has added for itself. */
export function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(VSCODE|ELECTRON)_/.test(name)));
}

/** Runs a command of the program to its end. It answers what was written, or throws why that failed. */
export function runProgram(words: string[], stdin = ''): Promise<string> {
  const { program, args, cwd } = settings();
  return new Promise((resolve, reject) => {
    const child = execFile(program, [...words, ...args], { cwd, env: environment() }, (error, out, err) => {
      const why = err.split('\n')[0]?.replace(/^jobline: (line 1: )?/, '');
      // 1 says that the server could not answer; what it refuses has another code.
      if (error) reject(error.code === 1 ? new Lost(why) : new Error(why || error.message));
      else resolve(out);
    });
    child.stdin?.on('error', () => undefined); // the program has ended, which tells more
    child.stdin?.end(stdin);
  });
}
