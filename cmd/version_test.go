package cmd

import (
	"bytes"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVersionNamesTheSource(t *testing.T) {
	const revision = "0123456789abcdef0123456789abcdef01234567"
	for _, c := range []struct {
		name string
		info debug.BuildInfo
		want string
	}{
		{
			"another program", debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Deps: []*debug.Module{{Path: modulePath, Version: "v4.5.6"}}},
			"jobline v1.2.3 (jobline v4.5.6, protocol , , )\n",
		},
		{"nothing is known", debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, "jobline  (protocol , , )\n"},
		{"a module", debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}}, "jobline v1.2.3 (protocol , , )\n"},
		{
			"a clean tree", debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: revision}, {Key: "vcs.modified", Value: "false"}}},
			"jobline  (protocol , , , revision 0123456789ab)\n",
		},
		{
			"a modified tree", debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: revision}, {Key: "vcs.modified", Value: "true"}}},
			"jobline  (protocol , , , revision 0123456789ab, modified)\n",
		},
		{
			"a short revision", debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "r7"}}},
			"jobline  (protocol , , , revision r7)\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := buildInfo{Program: "jobline"}
			b.add(&c.info)
			var out bytes.Buffer
			require.NoError(t, b.print(&out, false))
			require.Equal(t, c.want, out.String())
		})
	}
}

func TestReleaseKeepsItsVersion(t *testing.T) {
	b := buildInfo{Version: "1.2.3"}
	b.add(&debug.BuildInfo{Main: debug.Module{Version: "v0.0.0-20260101000000-0123456789ab+dirty"}})
	require.Equal(t, "1.2.3", b.Version)
}
