// Package top is the live screen of an executor: what runs, what waits, what has ended,
// and the output of a task.
//
// The source asks the server and takes its events, at a bounded rate, and keeps what a
// screen can show (world). The model is the screen as a state machine: messages change
// it, the view is a function of it. The program joins the two.
package top

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/google/uuid"

	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

// Options say what to show where.
type Options struct {
	// Client is the connection to the server. Run closes it.
	Client *client.Client
	// Reconnect connects again after the end of a connection. It is tried every
	// second.
	Reconnect func(context.Context) (*client.Client, error)
	// Retry submits a task again that has ended, and answers the id of the new one.
	Retry func(context.Context, *client.Client, uuid.UUID) (uuid.UUID, error)
	// In and Out are a terminal.
	In, Out *os.File
	// Environment says what the terminal can show: TERM, COLORTERM, NO_COLOR.
	Environment []string
}

// framesPerSecond is how often the screen may change. A key is seen within a frame.
const framesPerSecond = 30

// Run shows the screen until a person quits, or ctx ends. The terminal is then as it was
// before. It answers the cause of ctx's end.
func Run(ctx context.Context, o Options) error {
	profile := profileOf(&o)
	p := &program{model: newModel(newLook(profile, true)), ctx: ctx, options: &o}
	screen := tea.NewProgram(p, tea.WithContext(ctx), tea.WithInput(o.In), tea.WithOutput(o.Out), tea.WithEnvironment(o.Environment),
		tea.WithColorProfile(profile), tea.WithFPS(framesPerSecond), tea.WithoutSignalHandler())
	p.source = newSource(o.Client, o.Reconnect, func(msg any) { screen.Send(msg) })
	following, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { // ends with following, or because of a fault
		err := p.source.run(following)
		ended <- err
		if err != nil {
			screen.Quit()
		}
	}()
	_, err := screen.Run()
	stop()
	if fault := <-ended; fault != nil {
		return fault
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, tea.ErrProgramPanic):
		return errors.New("top has crashed")
	}
	return err
}

// profileOf says how many colours the terminal has. Any text in NO_COLOR is for none.
func profileOf(o *Options) colorprofile.Profile {
	for _, variable := range o.Environment {
		if value, ok := strings.CutPrefix(variable, "NO_COLOR="); ok && value != "" {
			return colorprofile.ASCII
		}
	}
	return colorprofile.Detect(o.Out, o.Environment)
}

// program is the model as bubbletea wants it, with what it does beside showing.
type program struct {
	model   *model
	source  *source
	ctx     context.Context // of Run
	options *Options
}

// Init implements tea.Model. The answer about the background may come late, or never.
func (p *program) Init() tea.Cmd { return tea.RequestBackgroundColor }

// Update implements tea.Model.
func (p *program) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	e := p.model.update(msg)
	p.source.set(p.model.wants())
	switch {
	case e.quit:
		return p, tea.Quit
	case e.suspend:
		return p, tea.Suspend
	case e.act != nil:
		return p, func() tea.Msg { return p.act(e.act) }
	}
	return p, nil
}

// View implements tea.Model.
func (p *program) View() tea.View {
	v := tea.NewView(p.model.view())
	v.AltScreen, v.MouseMode = true, tea.MouseModeCellMotion
	return v
}

// act does what a person has asked for.
func (p *program) act(a *action) tea.Msg {
	c, err := p.source.current()
	if err != nil {
		return doneMsg{err: err}
	}
	if a.verb == doRetry {
		id, err := p.options.Retry(p.ctx, c, a.id)
		return doneMsg{fmt.Sprintf("submitted again as %s", id), err}
	}
	r, err := c.Cancel(p.ctx, schema.CancelParams{ID: a.id, Force: a.verb == doForce})
	return doneMsg{a.name + ": " + string(r.Outcome), err}
}
