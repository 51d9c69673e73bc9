package schema

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// jobline.d.ts says in TypeScript what openrpc.json says. It is built by the
// tests alone, out of the same tables.

// named are types that have a name in TypeScript and are no objects.
var named = map[reflect.Type]string{
	typeOf[uuid.UUID]():     "A UUID of 36 characters: 8-4-4-4-12.",
	typeOf[Time]():          "A time of RFC 3339. The server writes UTC with microseconds.",
	typeOf[State]():         "Where a task is in its life.",
	typeOf[Stream]():        "An output of a task.",
	typeOf[ErrorKind]():     "The class of a task's error.",
	typeOf[CancelOutcome](): "What a cancel met.",
	typeOf[ShutdownMode]():  "What becomes of the tasks that are not final.",
	typeOf[ShutdownScope](): "What a shutdown ends.",
	typeOf[OnDisconnect]():  "What becomes of a task when the connection that submitted it has ended.",
	typeOf[WaitUntil]():     "How many of the tasks must be final.",
	typeOf[ListOrder]():     "By time of creation.",
	typeOf[Signal]():        "The name of a signal, without SIG before it.",
	typeOf[WaitingKind]():   "What a queued task waits for.",
	typeOf[DedupeOn]():      "What becomes of a submit that is a duplicate.",
	typeOf[Encoding]():      "How bytes became a string.",
}

const typescriptHead = `// The types of the jobline protocol, version %s.
// Generated from the Go types: go test ./schema -update. Do not edit.

`

const typescriptTail = `
export type Method = keyof Methods;

export interface Request<M extends Method = Method> {
  jsonrpc: "2.0";
  id: string | number | null;
  method: M;
  params?: Methods[M]["params"];
}

export interface Result<M extends Method = Method> {
  jsonrpc: "2.0";
  id: string | number | null;
  result: Methods[M]["result"];
}

/** The error of a request. Its code tells its data.kind, and the other way round. */
export type RPCError = {
  [K in keyof ErrorCodes]: { code: ErrorCodes[K]; message: string; data: ErrorData & { kind: K } };
}[keyof ErrorCodes];

export interface Failure {
  jsonrpc: "2.0";
  id: string | number | null;
  error: RPCError;
}

/** The answer to a request. */
export type Response<M extends Method = Method> = Result<M> | Failure;

/** What the server sends without being asked. The method tells the params. */
export type Notification = {
  [N in keyof Notifications]: { jsonrpc: "2.0"; method: N; params: Notifications[N] };
}[keyof Notifications];

/** What a client sends without wanting an answer. */
export type ClientNotification = {
  [N in keyof ClientNotifications]: { jsonrpc: "2.0"; method: N; params?: ClientNotifications[N] };
}[keyof ClientNotifications];

/** All that the server writes, but for the answer to a batch, which is a list of responses. */
export type Message = Response | Notification;
`

// buildTypeScript makes jobline.d.ts.
func buildTypeScript() (string, error) {
	w := typeWriter{known: maps.Clone(wireTypes)}
	described := maps.Clone(components)
	for _, d := range slices.Concat(calls, notifications) {
		if described[d.params] == "" {
			described[d.params] = cmp.Or(map[bool]string{true: "The params of " + d.name + "."}[d.result != nil], d.summary)
		}
	}
	described[typeOf[Empty]()] = "Nothing: {}."
	for t := range described {
		w.known[t] = refTo(t)
	}
	for t := range named { // its title says that there is a name for it
		w.known[t] = wireTypes[t].clone()
		w.known[t].Title = t.Name()
	}
	fmt.Fprintf(&w, typescriptHead, ProtocolVersion)
	for _, t := range byName(named) {
		w.doc("", named[t])
		fmt.Fprintf(&w, "export type %s = %s;\n\n", t.Name(), w.of(wireTypes[t], ""))
	}
	for _, t := range byName(described) {
		if err := w.declare(t, described[t]); err != nil {
			return "", fmt.Errorf("%v: %w", t, err)
		}
	}
	w.tables()
	w.WriteString(typescriptTail)
	return w.String(), nil
}

func byName(types map[reflect.Type]string) []reflect.Type {
	return slices.SortedFunc(maps.Keys(types), func(a, b reflect.Type) int { return cmp.Compare(a.Name(), b.Name()) })
}

type typeWriter struct {
	strings.Builder
	known typeSchemas
}

func (w *typeWriter) doc(indent, text string) {
	if text != "" {
		fmt.Fprintf(w, "%s/** %s */\n", indent, text)
	}
}

// declare writes the type of an object.
func (w *typeWriter) declare(t reflect.Type, description string) error {
	known := maps.Clone(w.known)
	delete(known, t)
	s, err := newDeriver(known).of(t)
	if err != nil {
		return err
	}
	w.doc("", description)
	if s.Properties == nil {
		fmt.Fprintf(w, "export type %s = %s;\n\n", t.Name(), w.of(s, ""))
		return nil
	}
	fmt.Fprintf(w, "export interface %s %s\n\n", t.Name(), w.of(s, ""))
	return nil
}

// of is a schema as a type.
func (w *typeWriter) of(s *JSONSchema, indent string) string {
	text := w.ofType(s, typeOfSchema(s), indent)
	if len(s.Types) > 0 {
		text += " | null"
	}
	return text
}

func (w *typeWriter) ofType(s *JSONSchema, kind, indent string) string {
	switch {
	case s.Ref != "":
		return s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
	case s.Title != "":
		return s.Title
	case s.Enum != nil:
		var names []string
		for _, name := range s.Enum {
			if name, ok := name.(string); ok {
				names = append(names, strconv.Quote(name))
			}
		}
		return strings.Join(names, " | ")
	case kind == "integer":
		return "number"
	case kind == "array":
		items := w.of(s.Items, indent)
		if strings.Contains(items, "|") {
			items = "(" + items + ")"
		}
		return items + "[]"
	case kind == "object" && s.Properties != nil:
		return w.object(s, indent)
	case kind == "object" && s.AdditionalProperties.Not != nil:
		return "Record<string, never>"
	case kind == "object":
		return "Record<string, " + w.of(s.AdditionalProperties, indent) + ">"
	default:
		return cmp.Or(kind, "unknown") // string, number and boolean are the same
	}
}

func (w *typeWriter) object(s *JSONSchema, indent string) string {
	inner := typeWriter{known: w.known}
	inner.WriteString("{\n")
	for _, name := range s.PropertyOrder {
		p, optional := s.Properties[name], "?"
		if slices.Contains(s.Required, name) {
			optional = ""
		}
		inner.doc(indent+"  ", p.Description)
		fmt.Fprintf(&inner, "%s  %s%s: %s;\n", indent, name, optional, inner.of(p, indent+"  "))
	}
	return inner.String() + indent + "}"
}

// tables writes which methods, notifications and errors there are.
func (w *typeWriter) tables() {
	w.WriteString("/** The methods, with what goes in and what comes out. */\nexport interface Methods {\n")
	for _, d := range calls {
		if d.result == nil {
			continue
		}
		result := d.result.Name()
		if w.known[d.result] == nil { // the document itself
			result = "Record<string, unknown>"
		}
		w.doc("  ", strings.TrimSpace(d.summary+" "+d.description))
		fmt.Fprintf(w, "  %q: { params: %s; result: %s };\n", d.name, d.params.Name(), result)
	}
	w.WriteString("}\n\n/** The notifications that a client sends. */\nexport interface ClientNotifications {\n")
	for _, d := range calls {
		if d.result == nil {
			w.doc("  ", d.summary)
			fmt.Fprintf(w, "  %q: %s;\n", d.name, d.params.Name())
		}
	}
	w.WriteString("}\n\n/** The notifications that the server sends. */\nexport interface Notifications {\n")
	for _, d := range notifications {
		w.doc("  ", d.summary)
		fmt.Fprintf(w, "  %q: %s;\n", d.name, d.params.Name())
	}
	w.WriteString("}\n\n/** The codes of errors, by the kind that data has beside them. */\nexport interface ErrorCodes {\n")
	for _, c := range Codes {
		w.doc("  ", c.Meaning)
		fmt.Fprintf(w, "  %s: %d;\n", c.Kind, c.Code)
	}
	w.WriteString("}\n")
}
