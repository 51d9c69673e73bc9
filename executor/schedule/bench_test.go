package schedule

import (
	"testing"
)

func BenchmarkNext(b *testing.B) {
	for name, expression := range map[string]string{"nightly": "30 2 * * *", "often": "*/5 * * * *", "rare": "0 0 */28 2 MON#5"} {
		b.Run(name, func(b *testing.B) {
			times := cronIn(b, expression, "Europe/Berlin")
			after := at(b, "2026-06-01T00:00:00Z")
			for b.Loop() {
				times.Next(after)
			}
		})
	}
}
