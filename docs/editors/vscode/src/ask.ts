// Asks for a type of tasks, or a recent task, and for the input.
import * as vscode from 'vscode';
import type { TypeInfo } from '../../../../schema/jobline';
import { runProgram } from './program';
import type { Queue } from './queue';

type Input = Record<string, unknown>;
export interface Wanted { type: string; input: Input; labels?: Record<string, string> }
interface Member { type?: string; description?: string; default?: unknown; enum?: unknown[] }
interface Schema { properties?: Record<string, Member>; required?: string[] }
type Item = vscode.QuickPickItem & { member?: string; json?: boolean };

const recent = 20; // tasks that can be chosen to run again
const draftScheme = 'jobline-schema';

/** Gives the schema of a type to the editor of JSON, which completes and checks a draft by it. */
export function offerSchemas(): vscode.Disposable {
  return vscode.workspace.registerTextDocumentContentProvider(draftScheme, {
    async provideTextDocumentContent(uri) {
      const type = (await allTypes()).find(({ name }) => uri.path === `/${name}.json`);
      const schema = type?.inputSchema as Schema | undefined;
      return JSON.stringify({ ...schema, properties: { ...schema?.properties, $schema: {} } });
    },
  });
}

async function allTypes(): Promise<TypeInfo[]> {
  return (JSON.parse(await runProgram(['types', '--json'])) as { types: TypeInfo[] }).types;
}

/** Asks which type, or which recent task; of the latter the answer has the id. */
export async function chooseType(queue: Queue): Promise<TypeInfo | string | undefined> {
  await queue.connect();
  const types = await allTypes(), again = new Map<string, vscode.QuickPickItem & { id: string }>();
  for (const { id, title, state } of [...queue.rows.values()].sort((a, b) => b.created - a.created).slice(0, recent)) {
    const label = `$(history) ${title}`;
    if (!again.has(label)) again.set(label, { label, description: state, id });
  }
  const separator = (label: string) => ({ label, kind: vscode.QuickPickItemKind.Separator });
  const chosen = await vscode.window.showQuickPick([
    separator('types'),
    ...types.map((type) => ({ label: type.name, detail: type.description, type })),
    separator('recent tasks, run again'), ...again.values(),
  ], { title: 'Submit a Task', placeHolder: 'a type, or a recent task', matchOnDetail: true });
  if (!chosen) return undefined;
  return 'id' in chosen ? chosen.id : (chosen as { type?: TypeInfo }).type;
}

/** Asks for an input, member by member. problem is what the server said to the one before, which is kept. */
export async function askInput(type: TypeInfo, input: Input, problem?: string): Promise<Input | undefined> {
  const { properties = {}, required = [] } = type.inputSchema as Schema;
  if (!problem) {
    for (const name of required.filter((one) => !(one in input))) {
      if (!await askMember(name, properties[name] ?? {}, input)) return undefined;
    }
  }
  if (Object.keys(properties).length === 0) return input;
  for (;;) {
    const chosen = await vscode.window.showQuickPick<Item>([
      { label: '$(play) Submit', detail: problem ?? JSON.stringify(input) },
      { label: '$(json) Edit as JSON', json: true },
      ...Object.entries(properties).map(([name, member]): Item => ({
        label: required.includes(name) ? name : `[${name}]`, detail: member.description, member: name,
        description: name in input ? JSON.stringify(input[name]) : typeOf(member),
      })),
    ], {
      title: `${problem ? 'Mend the input' : 'Input'} of ${type.name}`,
      placeHolder: problem ?? 'submit, or a member to set', ignoreFocusOut: true,
    });
    if (!chosen) return undefined;
    if (chosen.json) return draft(type.name, input);
    if (!chosen.member) return input;
    await askMember(chosen.member, properties[chosen.member] ?? {}, input);
  }
}

/** Asks for one member, and answers whether it was given. */
async function askMember(name: string, member: Member, input: Input): Promise<boolean> {
  const choices = member.type === 'boolean' ? [true, false] : member.enum;
  const title = `${name}: ${typeOf(member)}`;
  if (choices) {
    const items = choices.map((value) => ({ label: String(value), value }));
    const chosen = await vscode.window.showQuickPick(items, { title, placeHolder: member.description });
    if (chosen) input[name] = chosen.value;
    return chosen !== undefined;
  }
  const text = await vscode.window.showInputBox({
    title, prompt: member.description, ignoreFocusOut: true,
    value: written(name in input ? input[name] : member.default ?? ''),
    placeHolder: member.type === 'array' ? '["make", "test"]' : undefined,
    validateInput: (typed) => read(typed, member).problem,
  });
  if (text === undefined) return false;
  if (text === '') delete input[name];
  else input[name] = read(text, member).value;
  return true;
}

function typeOf(member: Member): string {
  const type = member.enum?.join(' | ') ?? member.type ?? 'any';
  return member.default === undefined ? type : `${type}, default ${JSON.stringify(member.default)}`;
}

const written = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

/** Reads what was typed: as it is where the member is text, else as JSON. */
function read(text: string, { type }: Member): { value?: unknown; problem?: string } {
  if (type === 'string' || text === '') return { value: text };
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    return { problem: `this is not yet JSON of type ${type ?? 'any'}: ${(error as Error).message}` };
  }
}

/** Opens an input as JSON. "Jobline: Submit" with it in front submits it. */
async function draft(type: string, input: Input): Promise<undefined> {
  const content = JSON.stringify({ $schema: `${draftScheme}:/${type}.json`, ...input }, null, 2) + '\n';
  await vscode.window.showTextDocument(await vscode.workspace.openTextDocument({ language: 'json', content }));
  void vscode.window.setStatusBarMessage('Edit the input; then run "Jobline: Submit a Task"', 10_000);
}

/** What the draft in front wants, or an error where it is half-written. */
export function drafted(): Wanted | undefined {
  const text = vscode.window.activeTextEditor?.document.getText() ?? '';
  const type = new RegExp(`"\\$schema"\\s*:\\s*"${draftScheme}:/([^"]+)\\.json"`).exec(text)?.[1];
  if (!type) return undefined;
  try {
    const { $schema: _, ...input } = JSON.parse(text) as Record<string, unknown>;
    return { type, input };
  } catch (error) {
    throw new Error(`the input of ${type} is not yet JSON: ${(error as Error).message}`);
  }
}
