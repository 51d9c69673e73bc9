package schema

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// The OpenRPC 1.3 document. It is built by the tests alone; the program
// carries what they wrote.
type (
	rpcDocument struct {
		OpenRPC    string        `json:"openrpc"`
		Info       rpcInfo       `json:"info"`
		Methods    []rpcMethod   `json:"methods"`
		Components rpcComponents `json:"components"`
		// Reserved are methods too, of JSON-RPC and of LSP. Generators make
		// identifiers of the names of methods, which these cannot be.
		Reserved      []rpcMethod `json:"x-reserved"`
		Notifications []rpcMethod `json:"x-notifications"`
	}
	rpcInfo struct {
		Title       string            `json:"title"`
		Description string            `json:"description"`
		Version     string            `json:"version"`
		License     map[string]string `json:"license"`
	}
	rpcMethod struct {
		Name           string           `json:"name"`
		Summary        string           `json:"summary"`
		Description    string           `json:"description,omitzero"`
		ParamStructure string           `json:"paramStructure"`
		Params         []rpcContent     `json:"params"`
		Result         *rpcContent      `json:"result,omitzero"`
		Errors         []rpcRef         `json:"errors,omitzero"`
		Examples       []rpcExamplePair `json:"examples,omitzero"`
	}
	rpcContent struct {
		Name     string      `json:"name"`
		Summary  string      `json:"summary,omitzero"`
		Required bool        `json:"required,omitzero"`
		Schema   *JSONSchema `json:"schema"`
	}
	rpcRef struct {
		Ref string `json:"$ref"`
	}
	rpcExamplePair struct {
		Name   string       `json:"name"`
		Params []rpcExample `json:"params"`
		Result *rpcExample  `json:"result,omitzero"`
	}
	rpcExample struct {
		Name  string         `json:"name"`
		Value jsontext.Value `json:"value"`
	}
	rpcComponents struct {
		Schemas map[string]*JSONSchema `json:"schemas"`
		Errors  map[string]rpcError    `json:"errors"`
	}
	rpcError struct {
		Code    Code      `json:"code"`
		Message string    `json:"message"`
		Data    ErrorData `json:"data"`
	}
)

// buildOpenRPC makes the document of the tables and the types they name.
func buildOpenRPC() (jsontext.Value, error) {
	doc := rpcDocument{
		OpenRPC: "1.3.2",
		Info: rpcInfo{
			Title:       "jobline",
			Description: "A job queue that a program embeds by spawning it and speaking JSON-RPC 2.0 over stdin and stdout.",
			Version:     ProtocolVersion,
			License:     map[string]string{"name": "Apache-2.0"},
		},
		Components: rpcComponents{Schemas: map[string]*JSONSchema{}, Errors: map[string]rpcError{}},
	}
	for t, description := range components {
		s, err := deriveWithRefs(t)
		if err != nil {
			return nil, fmt.Errorf("component %v: %w", t, err)
		}
		s.Description = description
		entitle(s, t.Name())
		doc.Components.Schemas[t.Name()] = s
	}
	for _, c := range Codes {
		doc.Components.Errors[c.Kind] = rpcError{c.Code, c.Meaning, ErrorData{Kind: c.Kind, Retryable: c.Retryable}}
	}
	isReserved := func(d described) bool { return strings.ContainsAny(d.name, "$/.") }
	var err error
	if doc.Methods, err = methodsOf(slices.DeleteFunc(slices.Clone(calls), isReserved)); err != nil {
		return nil, err
	}
	if doc.Reserved, err = methodsOf(slices.DeleteFunc(slices.Clone(calls), func(d described) bool { return !isReserved(d) })); err != nil {
		return nil, err
	}
	if doc.Notifications, err = methodsOf(notifications); err != nil {
		return nil, err
	}
	return json.Marshal(doc, json.Deterministic(true), jsontext.WithIndent("  "))
}

// deriveWithRefs makes the schema of a type with references to the components
// in place of copies.
func deriveWithRefs(t reflect.Type) (*JSONSchema, error) {
	known := maps.Clone(wireTypes)
	for c := range components {
		known[c] = refTo(c)
	}
	delete(known, t)
	return newDeriver(known).of(t)
}

// entitle gives a schema, and each in it, a title of its own: generators name
// types by it, and those without at random.
func entitle(s *JSONSchema, title string) {
	if s.Ref != "" {
		return
	}
	s.Title = title
	for _, name := range s.PropertyOrder {
		entitle(s.Properties[name], title+pascal(name))
	}
	if s.Items != nil {
		entitle(s.Items, title+"Item")
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Not == nil {
		entitle(s.AdditionalProperties, title+"Value")
	}
}

var wordBegins = regexp.MustCompile(`[^a-zA-Z]*([a-zA-Z])([a-zA-Z]*)`)

// pascal is a name as one of types: "TaskStarted" of "task/started".
func pascal(name string) string {
	var b strings.Builder
	for _, word := range wordBegins.FindAllStringSubmatch(name, -1) {
		b.WriteString(strings.ToUpper(word[1]) + word[2])
	}
	return b.String()
}

func refTo(t reflect.Type) *JSONSchema {
	return &JSONSchema{Ref: "#/components/schemas/" + t.Name()}
}

func methodsOf(table []described) ([]rpcMethod, error) {
	var methods []rpcMethod
	for _, d := range table {
		m, err := methodOf(d)
		if err != nil {
			return nil, fmt.Errorf("method %s: %w", d.name, err)
		}
		methods = append(methods, m)
	}
	return methods, nil
}

func methodOf(d described) (rpcMethod, error) {
	m := rpcMethod{
		Name: d.name, Summary: d.summary, Description: d.description, ParamStructure: "by-name",
		Params: []rpcContent{},
	}
	params, err := deriveWithRefs(d.params)
	if err != nil {
		return m, err
	}
	entitle(params, pascal(d.name)+"Params")
	for _, name := range params.PropertyOrder {
		p := params.Properties[name]
		m.Params = append(m.Params, rpcContent{name, p.Description, slices.Contains(params.Required, name), p})
		p.Description = "" // it is the summary
	}
	if d.result != nil {
		m.Result = &rpcContent{"result", d.resultSummary, true, refTo(d.result)}
		if components[d.result] == "" {
			m.Result.Schema = &JSONSchema{Title: pascal(d.name) + "Result", Type: "object"}
		}
	}
	for _, code := range d.errors {
		m.Errors = append(m.Errors, rpcRef{"#/components/errors/" + kindOf(code)})
	}
	for _, e := range d.examples {
		pair, err := pairOf(e)
		if err != nil {
			return m, err
		}
		m.Examples = append(m.Examples, pair)
	}
	return m, nil
}

func kindOf(code Code) string {
	for _, c := range Codes {
		if c.Code == code {
			return c.Kind
		}
	}
	return ""
}

func pairOf(e example) (rpcExamplePair, error) {
	pair := rpcExamplePair{Name: e.name, Params: []rpcExample{}}
	params, err := json.Marshal(e.params, json.Deterministic(true))
	if err != nil {
		return pair, err
	}
	dec := jsontext.NewDecoder(bytes.NewReader(params))
	if _, err := dec.ReadToken(); err != nil {
		return pair, err
	}
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return pair, err
		}
		member := rpcExample{Name: name.String()}
		value, err := dec.ReadValue()
		if err != nil {
			return pair, err
		}
		member.Value = value.Clone()
		pair.Params = append(pair.Params, member)
	}
	if e.result != nil {
		result, err := json.Marshal(e.result, json.Deterministic(true))
		if err != nil {
			return pair, err
		}
		pair.Result = &rpcExample{"result", result}
	}
	return pair, nil
}

func ids(list ...uuid.UUID) []uuid.UUID { return list }
