package schema

import "github.com/google/uuid"

// InputParams sends bytes to a running task: those of Data, which is text, or
// DataBase64. Close says that no more will come.
type InputParams struct {
	ID         uuid.UUID `json:"id" jsonschema:"the id of the task"`
	Data       string    `json:"data,omitzero" jsonschema:"text to send; not with dataBase64"`
	DataBase64 []byte    `json:"dataBase64,omitzero" jsonschema:"bytes to send, in base64; not with data"`
	Close      bool      `json:"close,omitzero" jsonschema:"whether the input ends behind this" schema:"default=false"`
}

// SignalParams sends a signal to all processes of a running task.
type SignalParams struct {
	ID     uuid.UUID `json:"id" jsonschema:"the id of the task"`
	Signal Signal    `json:"signal" jsonschema:"the name of the signal; STOP stops the task, and CONT lets it go on"`
}

// Signal is the name of a signal, without SIG before it.
type Signal string

// The signals that can be sent. None of them cancels a task.
const (
	SignalInt   Signal = "INT"
	SignalTerm  Signal = "TERM"
	SignalHup   Signal = "HUP"
	SignalQuit  Signal = "QUIT"
	SignalUsr1  Signal = "USR1"
	SignalUsr2  Signal = "USR2"
	SignalStop  Signal = "STOP"
	SignalCont  Signal = "CONT"
	SignalWinch Signal = "WINCH"
)

// Signals are all signals that can be sent.
var Signals = [...]Signal{
	SignalInt, SignalTerm, SignalHup, SignalQuit, SignalUsr1, SignalUsr2, SignalStop, SignalCont, SignalWinch,
}

// ResizeParams sets the size of the terminal of a running task.
type ResizeParams struct {
	ID      uuid.UUID `json:"id" jsonschema:"the id of the task"`
	Rows    uint16    `json:"rows" jsonschema:"the height, in lines of text" schema:"minimum=1"`
	Columns uint16    `json:"columns" jsonschema:"the width, in characters" schema:"minimum=1"`
}
