package schema

// Dedupe says what becomes of a submit while there is a task of the same dedupe key already. It
// is decided by the key alone: whatever the types and the inputs are.
type Dedupe struct {
	Key string   `json:"key" jsonschema:"tasks that say the same here are duplicates of each other, whatever their types and inputs" schema:"minLength=1,maxLength=256"`
	On  DedupeOn `json:"on,omitzero" jsonschema:"what becomes of the submit while there is such a task: reuse answers with that task, reject refuses the submit, replace cancels that task and runs this one after its end" schema:"default=reuse"`
	// WindowMs is of reuse and reject.
	WindowMs int64 `json:"windowMs,omitzero" jsonschema:"a task of the key that has completed counts for so many milliseconds after its end, as long as it is kept; 0 counts only tasks that have not ended" schema:"minimum=0,maximum=315360000000"`
}

// DedupeOn says what becomes of a submit that is a duplicate. The empty one is DedupeReuse.
type DedupeOn string

// What becomes of a submit that is a duplicate.
const (
	DedupeReuse   DedupeOn = "reuse"   // it is answered with the task that is there
	DedupeReject  DedupeOn = "reject"  // it is refused
	DedupeReplace DedupeOn = "replace" // the task that is there is cancelled
)

// DedupeOns are all that can become of a submit that is a duplicate.
var DedupeOns = [...]DedupeOn{DedupeReuse, DedupeReject, DedupeReplace}
