package schema

// This file has how a connection begins and ends.

// InitializeParams introduces a client. Language clients send more members, which are
// ignored: of this method alone.
type InitializeParams struct {
	ClientInfo *ClientInfo `json:"clientInfo,omitzero" jsonschema:"who the client is; the name becomes the label owner of the tasks that it submits"`
	// ProtocolVersion is refused where its first number differs from that of the
	// constant ProtocolVersion.
	ProtocolVersion string `json:"protocolVersion,omitzero" jsonschema:"the version of the protocol that the client speaks, as 1 or 1.2; where absent it speaks that of the server" schema:"minLength=1,maxLength=64"`
}

// ClientInfo names a client.
type ClientInfo struct {
	Name    string `json:"name" jsonschema:"the name of the client" schema:"minLength=1,maxLength=256"`
	Version string `json:"version,omitzero" jsonschema:"the version of the client" schema:"maxLength=256"`
}

// InitializeResult introduces the server.
type InitializeResult struct {
	ServerInfo      ServerInfo       `json:"serverInfo" jsonschema:"who the server is"`
	ProtocolVersion string           `json:"protocolVersion" jsonschema:"the version of the protocol that the server speaks"`
	Capabilities    Capabilities     `json:"capabilities" jsonschema:"what the server does"`
	Limits          map[string]int64 `json:"limits" jsonschema:"the limits of the server, by name, as of stats"`
	// Seq is of the latest event of the store: what SubscribeParams.After takes.
	Seq uint64 `json:"seq" jsonschema:"the seq of the latest event; ask subscribe for what comes after it"`
}

// ServerInfo names a server.
type ServerInfo struct {
	Name    string `json:"name" jsonschema:"jobline"`
	Version string `json:"version" jsonschema:"the version of the program"`
	PID     int    `json:"pid" jsonschema:"the process id of the server" schema:"minimum=1"`
}

// Capabilities say what a server does.
type Capabilities struct {
	Shared  bool `json:"shared" jsonschema:"whether the executor serves other connections, too: then shutdown and exit end this connection alone, unless their scope says otherwise"`
	Durable bool `json:"durable" jsonschema:"whether tasks outlive the process of the server"`
}

// ShutdownParams says what is to end, and how.
type ShutdownParams struct {
	Mode      ShutdownMode `json:"mode,omitzero" jsonschema:"drain runs all that is queued and running, finish lets the running ones end, cancel cancels all" schema:"default=drain"`
	TimeoutMs int64        `json:"timeoutMs,omitzero" jsonschema:"after so many milliseconds the running tasks are cancelled, and queued ones stay in a durable store; 0 is never" schema:"minimum=0,maximum=315360000000"`
	// Scope is ScopeConnection by default where the executor is shared, else
	// ScopeExecutor.
	Scope ShutdownScope `json:"scope,omitzero" jsonschema:"what ends: this connection, or the executor with all connections; where absent the connection if the executor is shared, else the executor"`
}

// ShutdownScope says what a shutdown ends.
type ShutdownScope string

// What a shutdown ends.
const (
	ScopeConnection ShutdownScope = "connection" // this connection; its tasks go on, unless the mode is ShutdownCancel
	ScopeExecutor   ShutdownScope = "executor"   // the executor, and so all connections
)

// ExitParams says what is to end.
type ExitParams struct {
	// Scope is as that of ShutdownParams.
	Scope ShutdownScope `json:"scope,omitzero" jsonschema:"what ends, as the scope of shutdown"`
}

// ShutdownMode is what becomes of the tasks that are not final.
type ShutdownMode string

// The modes of a shutdown, the gentlest first.
const (
	ShutdownDrain  ShutdownMode = "drain"  // run all that is queued and running
	ShutdownFinish ShutdownMode = "finish" // let the running ones end
	ShutdownCancel ShutdownMode = "cancel" // cancel all
)

// ShutdownResult counts what became, since the shutdown was read, of the
// tasks that were not final then. Left are those that stay in a durable store
// or whose code did not stop.
type ShutdownResult struct {
	Completed int64 `json:"completed" jsonschema:"tasks completed since the shutdown was read" schema:"minimum=0"`
	Failed    int64 `json:"failed" jsonschema:"tasks failed since" schema:"minimum=0"`
	Cancelled int64 `json:"cancelled" jsonschema:"tasks cancelled since" schema:"minimum=0"`
	Left      int64 `json:"left" jsonschema:"tasks that stay in the store, or did not stop" schema:"minimum=0"`
}
