// The environment of the commands that this window submits: that of the editor. As
// `jobline submit` does, what is no secret goes to a file for this user alone, which the
// input names; secrets go with the submit, and the server keeps them in memory.
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, utimes, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import * as path from 'node:path';

const secret = /TOKEN|SECRET|PASSWORD|KEY/i;
const ofTheEditor = /^(JOBLINE_|VSCODE_|ELECTRON_)/; // which no command has asked for
const mask = '•••'; // what the server shows in the place of a secret

/** The input of a command with what it leaves out: where it runs, and in which environment. */
export async function commandInput(input: Record<string, unknown>, folder: string): Promise<Record<string, unknown>> {
  const here = { dir: folder, stderr: 'stdout', ...input };
  if ('envFile' in input) return here;
  const open: Record<string, string> = {}, secrets: Record<string, string> = {};
  for (const name of Object.keys(process.env).sort()) {
    if (!ofTheEditor.test(name)) (secret.test(name) ? secrets : open)[name] = process.env[name] ?? '';
  }
  return { ...here, envFile: await kept(JSON.stringify(open)), env: { ...secrets, ...(input['env'] as object | undefined) } };
}

/** The input of a task as it can be submitted again: with the secrets of this process. */
export function unmasked(input: unknown): unknown {
  const env = (input as { env?: Record<string, string | null> } | undefined)?.env;
  if (!env) return input;
  const again = Object.entries(env).map(([name, value]) => [name, value === mask ? process.env[name] ?? value : value]);
  return { ...(input as object), env: Object.fromEntries(again) };
}

/** Writes a file whose name comes from its text. The server removes one that is not used for 30 days. */
async function kept(text: string): Promise<string> {
  const folder = path.join(process.env['XDG_STATE_HOME'] || path.join(homedir(), '.local', 'state'), 'jobline', 'env');
  const file = path.join(folder, createHash('sha256').update(text).digest('hex') + '.json');
  if (await readFile(file, 'utf8').catch(() => '') === text) {
    await utimes(file, new Date(), new Date());
    return file;
  }
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const unnamed = path.join(folder, 'new-' + randomUUID());
  await writeFile(unnamed, text, { mode: 0o600 });
  await rename(unnamed, file);
  return file;
}
