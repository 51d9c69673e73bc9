// Package hosts has the tests of the example with three hosts.
package hosts

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// TestCompose reads compose.yaml, and looks whether jobline has the commands and flags that are in it.
func TestCompose(t *testing.T) {
	text, err := os.ReadFile("compose.yaml")
	require.NoError(t, err)
	var compose struct {
		Services map[string]struct {
			Image     string
			Command   []string
			Volumes   []string
			DependsOn yaml.Node `yaml:"depends_on"`
		}
		Volumes map[string]any
	}
	require.NoError(t, yaml.Unmarshal(text, &compose))
	require.Len(t, compose.Services, 5)
	help, err := os.ReadFile("../../cli.md")
	require.NoError(t, err)
	for name, s := range compose.Services {
		switch s.Image {
		case "nats:2.15":
			require.Equal(t, []string{"--config", "/etc/nats/nats.conf", "--name", name}, s.Command)
			require.Equal(t, []string{"./nats.conf:/etc/nats/nats.conf:ro", name + ":/data"}, s.Volumes)
			require.Contains(t, compose.Volumes, name)
		case "jobline":
			options := slices.IndexFunc(s.Command, func(word string) bool { return strings.HasPrefix(word, "--") })
			if s.Command[0] == "store" {
				options = 2
			}
			_, section, found := strings.Cut(string(help), "\n## jobline "+strings.Join(s.Command[:options], " ")+"\n")
			require.True(t, found, "%q", s.Command[:options])
			section, _, _ = strings.Cut(section, "\n## ")
			for _, word := range s.Command[options:] {
				if strings.HasPrefix(word, "--") {
					require.Contains(t, section, word+" ", name)
				}
			}
			require.Contains(t, s.Command, "nats://n1,n2,n3/builds")
		default:
			require.Fail(t, "an image that nobody knows", "%s: %s", name, s.Image)
		}
	}
}

// TestConfiguration lets the NATS server read nats.conf.
func TestConfiguration(t *testing.T) {
	o, err := server.ProcessConfigFile("nats.conf")
	require.NoError(t, err)
	require.True(t, o.JetStream)
	require.True(t, o.SyncAlways)
	require.Len(t, o.Routes, 3)
}

// TestConfigurationOfThePage compares nats.conf with the one that the page on many machines shows.
func TestConfigurationOfThePage(t *testing.T) {
	text, err := os.ReadFile("nats.conf")
	require.NoError(t, err)
	_, settings, found := strings.Cut(string(text), "\n") // behind its comment
	require.True(t, found)
	page, err := os.ReadFile("../../machines.md")
	require.NoError(t, err)
	_, shown, found := strings.Cut(string(page), "<!-- example: NATS -->\n   ```\n")
	require.True(t, found)
	shown, _, found = strings.Cut(shown, "   ```")
	require.True(t, found)
	require.Equal(t, settings, strings.TrimPrefix(strings.ReplaceAll("\n"+shown, "\n   ", "\n"), "\n"))
}

// TestRun runs run.sh, and looks whether each task has run to its end once. It takes a minute, and root, so it runs only where JOBLINE_HOSTS is set.
func TestRun(t *testing.T) {
	if os.Getenv("JOBLINE_HOSTS") == "" || runtime.GOOS != "linux" {
		t.Skip("it runs on Linux, as root, with JOBLINE_HOSTS=1")
	}
	bin := t.TempDir()
	t.Setenv("GOBIN", bin)
	t.Setenv("CGO_ENABLED", "0")
	for _, install := range [][]string{{"build", "-o", filepath.Join(bin, "jobline"), "../../../cmd/jobline"}, {"install", "github.com/nats-io/nats-server/v2@v2.15.3"}} {
		out, err := exec.Command("go", install...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	t.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	run := exec.Command("./run.sh")
	run.Stderr = os.Stderr
	out, err := run.Output()
	require.NoError(t, err)
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, shown, _ := strings.Cut(string(readme), "<!-- output: three hosts -->\n```\n")
	shown, _, _ = strings.Cut(shown, "```")
	number := regexp.MustCompile(`(?m)^ +\d+`)
	lines := func(text string) string { return number.ReplaceAllString(text, "N") }
	require.Equal(t, lines(shown), lines(string(out)))
	total := 0
	for _, n := range number.FindAllString(string(out), -1) {
		tasks, err := strconv.Atoi(strings.TrimSpace(n))
		require.NoError(t, err)
		total += tasks
	}
	require.Equal(t, 30+12+30, total)
}
