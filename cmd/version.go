package cmd

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/schema"
)

// version is set by the linker in a release: -ldflags "-X github.com/jobline/jobline/cmd.version=1.2.3".
var version string

// buildInfo says which program this is.
type buildInfo struct {
	Program  string `json:"-"` // its name
	Version  string `json:"version"`
	Jobline  string `json:"jobline,omitempty"` // of the module, in a program of others
	Protocol string `json:"protocol"`
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// modulePath is the path of this module in what the toolchain has recorded.
const modulePath = "github.com/jobline/jobline"

func (p *Program) build() buildInfo {
	b := buildInfo{
		Program: p.Name, Version: cmp.Or(p.Version, version), Protocol: schema.ProtocolVersion,
		Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		b.add(info)
	}
	b.Version = cmp.Or(b.Version, rpc.DefaultVersion)
	return b
}

// add adds what the toolchain has recorded.
func (b *buildInfo) add(info *debug.BuildInfo) {
	if info.Main.Version != "(devel)" {
		b.Version = cmp.Or(b.Version, info.Main.Version)
	}
	for _, d := range info.Deps {
		if d.Path == modulePath {
			b.Jobline = d.Version
		}
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
}

func (p *Program) versionCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the versions of the program and of its protocol",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.build().print(c.OutOrStdout(), asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (b buildInfo) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return printJSON(w, b)
	}
	_, err := fmt.Fprintf(w, "%s %s (%sprotocol %s, %s, %s%s)\n", b.Program, b.Version, b.module(), b.Protocol, b.Go, b.Platform, b.source())
	return err
}

// module names jobline's own version where the program is not jobline.
func (b buildInfo) module() string {
	if b.Jobline == "" {
		return ""
	}
	return "jobline " + b.Jobline + ", "
}

// shownRevision is how much of a revision tells it from others, in characters.
const shownRevision = 12

// source names the revision that was built, where it is known.
func (b buildInfo) source() string {
	if b.Revision == "" {
		return ""
	}
	text := ", revision " + b.Revision[:min(len(b.Revision), shownRevision)]
	if b.Modified {
		text += ", modified"
	}
	return text
}

// printJSON prints a value as indented JSON.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
