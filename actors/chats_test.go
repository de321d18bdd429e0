package actors

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/miroir-search/miroir/messages"
)

// Clients keep the setting of chats; nodes are not told, because their feature may be
// off.
func TestTheSettingOfChatsStaysHere(t *testing.T) {
	f := newFleet(t, 2, 1, 1)
	f.must(adding("films", `[{"id":1}]`))
	f.must(&messages.UpdateSettings{IndexUID: "films", Patch: json.RawMessage(`{"chat":{"description":"Films"},"stopWords":["the"]}`)})
	f.must(&messages.UpdateSettings{IndexUID: "films", Patch: json.RawMessage(`{"chat":{"documentTemplate":"x"}}`)})
	row, ok := f.c.Index("films")
	if !ok || !strings.Contains(string(row.Settings), `"chat":{"description":"Films","documentTemplate":"x"`) {
		t.Fatalf("the settings are %s", row.Settings)
	}
	f.stop()
	f.start()
	if row, ok = f.c.Index("films"); !ok || !strings.Contains(string(row.Settings), `"chat":{"description":"Films","documentTemplate":"x"`) {
		t.Errorf("after a restart the settings are %s", row.Settings)
	}
	f.must(&messages.UpdateSettings{IndexUID: "films", Patch: json.RawMessage(`{"chat":null}`)})
	if row, _ = f.c.Index("films"); strings.Contains(string(row.Settings), `"chat"`) {
		t.Errorf("after a reset the settings are %s", row.Settings)
	}
}
