package topology

import (
	"fmt"
	"testing"
)

// fleet is a snapshot of groups times perGroup nodes named a0, a1, …, b0, ….
func fleet(tb testing.TB, groups, perGroup, rf int) *Snapshot {
	tb.Helper()
	s, err := New(1, fleetNodes(groups, perGroup), rf)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func fleetNodes(groups, perGroup int) []Node {
	var nodes []Node
	for g := range groups {
		for i := range perGroup {
			id := fmt.Sprintf("%c%d", 'a'+g, i)
			nodes = append(nodes, Node{ID: id, Address: "http://" + id + ":7700", Group: g})
		}
	}
	return nodes
}
