package actors

import (
	"strings"
	"testing"

	"github.com/miroir-search/miroir/messages"
)

// Nodes have the experimental features that clients have turned on, also those that
// were away or came back empty, and lose them when they are turned off.
func TestNodesGetTheFeaturesThatClientsTurnOn(t *testing.T) {
	f := newFleet(t, 2, 1, 1)
	f.must(&messages.UpdateSettings{IndexUID: "films", Patch: []byte(`{"filterableAttributes":["title"]}`), WriteOptions: messages.WriteOptions{CreateAllowed: true}})
	f.must(&messages.AddDocuments{IndexUID: "films", Format: "json", Payload: []byte(`[{"id":1,"title":"Metropolis"}]`)})
	contains := &messages.Search{IndexUID: "films", Body: []byte(`{"filter":"title CONTAINS pol"}`)}
	found := func() string {
		for range 10 { // of both groups
			a := f.read(contains)
			switch {
			case a.Err != nil:
				return a.Err.Code
			case a.Status >= 400:
				return string(a.Body)
			case !strings.Contains(string(a.Body), "Metropolis"):
				return "nothing"
			}
		}
		return "found"
	}
	set := func(on bool) {
		t.Helper()
		if err := f.c.SetFeatures(t.Context(), map[string]bool{"containsFilter": on, "metrics": true}); err != nil {
			t.Fatal(err)
		}
	}
	if got := found(); !strings.Contains(got, "feature_not_enabled") {
		t.Fatalf("while it is off: %s", got)
	}
	set(true)
	if got := found(); got != "found" {
		t.Fatalf("once it is on: %s", got)
	}
	f.down(1)
	set(false)
	if got := found(); !strings.Contains(got, "feature_not_enabled") {
		t.Fatalf("once it is off: %s", got)
	}
	set(true)
	f.up(1)
	f.untilState(1, stateReady)
	if got := found(); got != "found" {
		t.Errorf("with a node that came back: %s", got)
	}
	f.stop()
	f.start()
	f.untilState(1, stateReady)
	if got := found(); got != "found" {
		t.Errorf("after a restart: %s", got)
	}
}
