package actors

import (
	"testing"

	"github.com/miroir-search/miroir/topology"
)

func TestReadsPreferNodesThatAgreeOnTheSettings(t *testing.T) {
	v := newViews(4)
	legs := func(nodes ...int) []topology.Leg {
		var out []topology.Leg
		for _, n := range nodes {
			out = append(out, topology.Leg{Node: n})
		}
		return out
	}
	f := func(when string, first, second bool) {
		t.Helper()
		if got := v.load().agree("i", legs(0, 1)); got != first {
			t.Errorf("%s: nodes 0 and 1 agree: %v, want %v", when, got, first)
		}
		if got := v.load().agree("i", legs(2, 3)); got != second {
			t.Errorf("%s: nodes 2 and 3 agree: %v, want %v", when, got, second)
		}
	}
	f("at first", true, true)
	v.setSettings(0, "i", 7)
	f("when node 0 has new settings", false, true)
	v.setSettings(2, "i", 7)
	f("when node 2 has them too", false, false)
	v.setSettings(1, "i", 7)
	f("when node 1 has caught up", true, false)
	v.setSettings(3, "i", 7)
	f("when all have them", true, true)
	if len(v.load().settings) != 0 {
		t.Error("what all nodes agree on is remembered")
	}
}
