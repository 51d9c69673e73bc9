// The parts of VS Code that the extension uses, without VS Code. @types/vscode types each
// of them, so that the compiler refuses what the real one does not have. What a person
// would do or see is in `person`.
import type * as vscode from 'vscode';

class Emitter<T> implements vscode.EventEmitter<T> {
  private readonly listeners = new Set<(event: T) => unknown>();
  readonly event: vscode.Event<T> = (listener, self) => {
    const bound = (event: T): unknown => listener.call(self, event);
    this.listeners.add(bound);
    return new Disposable(() => this.listeners.delete(bound));
  };
  fire(event: T): void { for (const listener of [...this.listeners]) listener(event); }
  dispose(): void { this.listeners.clear(); }
}
export { Emitter as EventEmitter };

export class Disposable implements vscode.Disposable {
  static from(...all: { dispose(): unknown }[]): Disposable { return new Disposable(() => all.forEach((one) => one.dispose())); }
  constructor(private readonly call: () => unknown) {}
  dispose(): void { this.call(); }
}

export class ThemeIcon implements Pick<vscode.ThemeIcon, 'id'> { constructor(readonly id: string) {} }

export class TreeItem implements vscode.TreeItem { constructor(readonly label: string) {} }

export class Task implements Pick<vscode.Task, 'definition' | 'scope' | 'name' | 'source' | 'problemMatchers'> {
  constructor(readonly definition: vscode.TaskDefinition, readonly scope: vscode.WorkspaceFolder | vscode.TaskScope, readonly name: string,
    readonly source: string, readonly execution: CustomExecution, readonly problemMatchers: string[]) {}
}

export class CustomExecution { constructor(readonly callback: (resolved: vscode.TaskDefinition) => Thenable<vscode.Pseudoterminal>) {} }

export class Uri {
  static from({ scheme, path = '' }: { scheme: string; path?: string }): vscode.Uri { return new Uri(scheme, path) as vscode.Uri; }
  static file(path: string): vscode.Uri { return Uri.from({ scheme: 'file', path }); }
  constructor(readonly scheme: string, readonly path: string) {}
  get fsPath(): string { return this.path; }
  toString(): string { return `${this.scheme}:${this.path}`; }
}

// The numbers of the enumerations, as VS Code has them.
export const TaskScope = { Global: 1, Workspace: 2 } satisfies Record<keyof typeof vscode.TaskScope, number>;
export const QuickPickItemKind = { Separator: -1, Default: 0 } satisfies Record<keyof typeof vscode.QuickPickItemKind, number>;
export const StatusBarAlignment = { Left: 1, Right: 2 } satisfies Record<keyof typeof vscode.StatusBarAlignment, number>;
export const ProgressLocation = { SourceControl: 1, Window: 10, Notification: 15 } satisfies Record<keyof typeof vscode.ProgressLocation, number>;

/** A terminal with a pseudoterminal, and what it shows. */
export class Terminal implements Pick<vscode.Terminal, 'name' | 'show' | 'dispose'> {
  private pieces: string[] = [];
  private size = 0; // of the pieces
  end = ''; // the last characters
  last = ''; // what was written last
  longest = 0; // characters that were written at once
  code: number | void | undefined;
  open = true;
  constructor(readonly name: string, readonly pty: vscode.Pseudoterminal | undefined, readonly options?: vscode.TerminalOptions) {
    pty?.onDidWrite((text) => {
      this.pieces.push(text);
      this.size += text.length;
      while (this.size - this.pieces[0]!.length >= person.scrollback) this.size -= this.pieces.shift()!.length;
      this.end = (this.end + text.slice(-100)).slice(-100);
      this.last = text;
      this.longest = Math.max(this.longest, text.length);
    });
    pty?.onDidClose?.((code) => { this.code = code; this.open = false; });
    pty?.open(undefined);
  }
  /** What can be scrolled to. It is put together only for who looks, so that pauses are those of the extension. */
  get text(): string {
    this.pieces = [this.pieces.join('')];
    return this.pieces[0]!.slice(-person.scrollback);
  }
  type(text: string): void { this.pty?.handleInput?.(text); }
  show(preserveFocus?: boolean): void { if (!preserveFocus) person.looksAt = this; }
  dispose(): void {
    this.open = false;
    this.pty?.close();
    closed.fire(this as unknown as vscode.Terminal);
  }
}

type Picked = { label: string } & Record<string, unknown>;

/** What a person sees and does. */
export const person = {
  settings: {} as Record<string, unknown>,
  folder: '/',
  scrollback: 1 << 20, // characters that a terminal keeps
  focused: true,
  looksAt: undefined as Terminal | undefined,
  messages: [] as string[],
  clicks: [] as string[], // the buttons that are pressed on the messages to come
  types: [] as (string | undefined)[], // what is typed into the input boxes to come
  picks: [] as ((items: Picked[], options?: vscode.QuickPickOptions) => Picked | undefined)[],
  complaints: [] as string[], // of input boxes about what was typed
  terminals: [] as Terminal[],
  progress: [] as { title: string; messages: string[]; cancel(): void; over: boolean }[],
  treeVisible: false,
  showTree(visible: boolean): void { person.treeVisible = visible; treeSeen.fire({ visible }); },
  tree: undefined as vscode.TreeDataProvider<unknown> | undefined,
  treeChanges: 0,
  status: { text: '', tooltip: '', shown: false },
  channel: '',
  documents: new Map<string, string>(),
  editor: undefined as { text: string } | undefined,
  commands: new Map<string, (...args: unknown[]) => unknown>(),
  provider: undefined as vscode.TaskProvider | undefined,
  contents: new Map<string, vscode.TextDocumentContentProvider>(),
  matchers: [] as string[],
  run: (command: string, ...args: unknown[]): Promise<unknown> => Promise.resolve(person.commands.get(command)!(...args)),
};

const closed = new Emitter<vscode.Terminal>(), treeSeen = new Emitter<vscode.TreeViewVisibilityChangeEvent>();

const say = (message: string, ...buttons: unknown[]): Promise<string | undefined> => {
  person.messages.push(message);
  const click = person.clicks[0];
  return Promise.resolve(click !== undefined && buttons.includes(click) ? person.clicks.shift() : undefined);
};

type Window = typeof vscode.window;
export const window = {
  get state() { return { focused: person.focused, active: person.focused }; },
  get activeTerminal() { return person.looksAt as unknown as vscode.Terminal | undefined; },
  get activeTextEditor() { return person.editor && ({ document: { getText: () => person.editor!.text, uri: Uri.file(person.folder) } } as vscode.TextEditor); },
  onDidCloseTerminal: closed.event,
  showErrorMessage: say as Window['showErrorMessage'],
  showWarningMessage: say as Window['showWarningMessage'],
  showInformationMessage: say as Window['showInformationMessage'],
  setStatusBarMessage: ((text: string) => { person.messages.push(text); return new Disposable(() => undefined); }) as Window['setStatusBarMessage'],
  showInputBox: (async (options?: vscode.InputBoxOptions) => {
    const typed = person.types.shift();
    const complaint = typed === undefined ? undefined : await options?.validateInput?.(typed);
    if (!complaint) return typed;
    person.complaints.push(String(complaint));
    return person.types.shift();
  }) as Window['showInputBox'],
  showQuickPick: ((items: Picked[], options?: vscode.QuickPickOptions) => Promise.resolve(person.picks.shift()?.(items, options))) as unknown as Window['showQuickPick'],
  createTerminal: ((options: vscode.TerminalOptions | vscode.ExtensionTerminalOptions) => {
    const terminal = 'pty' in options ? new Terminal(options.name, options.pty) : new Terminal(options.name ?? '', undefined, options);
    person.terminals.push(terminal);
    return terminal as unknown as vscode.Terminal;
  }) as Window['createTerminal'],
  createTreeView: ((_: string, options: vscode.TreeViewOptions<unknown>) => {
    person.tree = options.treeDataProvider;
    options.treeDataProvider.onDidChangeTreeData?.(() => { person.treeChanges++; });
    return { get visible() { return person.treeVisible; }, onDidChangeVisibility: treeSeen.event, dispose: () => undefined } as unknown as vscode.TreeView<unknown>;
  }) as Window['createTreeView'],
  createStatusBarItem: (() => Object.assign(person.status, { show: () => { person.status.shown = true; }, dispose: () => undefined })) as unknown as Window['createStatusBarItem'],
  createOutputChannel: (() => ({ replace: (text: string) => { person.channel = text; }, show: () => undefined, dispose: () => undefined })) as unknown as Window['createOutputChannel'],
  showTextDocument: (async (of: vscode.Uri | { text: string }) => {
    person.editor = of instanceof Uri ? { text: String(await person.contents.get(of.scheme)!.provideTextDocumentContent(of as vscode.Uri, {} as vscode.CancellationToken)) } : of as { text: string };
  }) as unknown as Window['showTextDocument'],
  withProgress: ((options: vscode.ProgressOptions, task: (progress: vscode.Progress<{ message?: string; increment?: number }>, token: vscode.CancellationToken) => Thenable<unknown>) => {
    const cancelled = new Emitter<void>();
    const shown = { title: options.title ?? '', messages: [] as string[], cancel: () => cancelled.fire(), over: false };
    person.progress.push(shown);
    return task({ report: ({ message }) => { shown.messages.push(message ?? ''); } }, { isCancellationRequested: false, onCancellationRequested: cancelled.event }).then(() => { shown.over = true; });
  }) as Window['withProgress'],
} satisfies Partial<Window>;

export const workspace = {
  get workspaceFolders() { return [{ uri: Uri.file(person.folder), name: 'folder', index: 0 }]; },
  getWorkspaceFolder: (): vscode.WorkspaceFolder => ({ uri: Uri.file(person.folder), name: 'folder', index: 0 }),
  getConfiguration: ((section: string) => ({ get: (name: string) => person.settings[`${section}.${name}`] })) as unknown as typeof vscode.workspace.getConfiguration,
  registerTextDocumentContentProvider: (scheme, provider) => { person.contents.set(scheme, provider); return new Disposable(() => undefined); },
  openTextDocument: ((options: { content: string }) => Promise.resolve({ text: options.content })) as unknown as typeof vscode.workspace.openTextDocument,
} satisfies Partial<typeof vscode.workspace>;

export const commands = {
  registerCommand: (name, run) => { person.commands.set(name, run); return new Disposable(() => undefined); },
  executeCommand: ((name: string, ...args: unknown[]) => Promise.resolve(person.commands.get(name)?.(...args))) as typeof vscode.commands.executeCommand,
} satisfies Partial<typeof vscode.commands>;

export const tasks = {
  registerTaskProvider: (_, provider) => { person.provider = provider; return new Disposable(() => undefined); },
  executeTask: (async (task: { name: string; definition: vscode.TaskDefinition; execution: { callback(resolved: vscode.TaskDefinition): Thenable<vscode.Pseudoterminal> }; problemMatchers: string[] }) => {
    const terminal = new Terminal(task.name, await task.execution.callback(task.definition));
    person.terminals.push(terminal);
    person.matchers = task.problemMatchers;
  }) as unknown as typeof vscode.tasks.executeTask,
} satisfies Partial<typeof vscode.tasks>;

export const env = { shell: '/bin/sh' } satisfies Partial<typeof vscode.env>;
export const version = '1.90.0';
