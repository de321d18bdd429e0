package http

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/store"
)

func TestBackupsBecomeMessages(t *testing.T) {
	door := newFakeDoor()
	s := start(t, door, nil)
	for path, want := range map[string]bool{"/dumps": false, "/snapshots": true} {
		if r := send(t, s, "POST", path, "{no body is read"); r.status != 202 {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
		if got, ok := door.writes[len(door.writes)-1].(*messages.MakeBackup); !ok || got.Snapshot != want {
			t.Errorf("%s: %+v", path, got)
		}
	}
}

func TestTheStoreIsBackedUp(t *testing.T) {
	door := newFakeDoor()
	s := start(t, door, nil)
	if r := send(t, s, "POST", "/admin/backup", `{"dir":"/mnt/copy"}`, asJSON...); r.status != 200 || strings.TrimSpace(r.body) != `{"dir":"/mnt/copy"}` {
		t.Errorf("%d %s", r.status, r.body)
	}
	door.backupErr = &store.BackupDirError{Dir: "/mnt/copy", Err: errors.New("it exists already")}
	if r := send(t, s, "POST", "/admin/backup", `{"dir":"/mnt/copy"}`, asJSON...); r.status != 400 || !strings.Contains(r.body, "it exists already") ||
		!strings.Contains(r.body, "/mnt/copy") || r.code(t) != "bad_request" {
		t.Errorf("%d %s", r.status, r.body)
	}
	door.backupErr = errors.New("no space left")
	if r := send(t, s, "POST", "/admin/backup", `{"dir":"/mnt/copy"}`, asJSON...); r.status != 503 || !strings.Contains(r.body, "no space left") ||
		r.code(t) != "miroir_store_unavailable" {
		t.Errorf("%d %s", r.status, r.body)
	}
	for _, body := range []string{`{}`, `{"dir":3}`, `{"dir":"copy"}`, `{"dir":"/a","to":"b"}`, `[]`} {
		if r := send(t, s, "POST", "/admin/backup", body, asJSON...); r.status != 400 || r.code(t) != "bad_request" {
			t.Errorf("%s: %d %s", body, r.status, r.body)
		}
	}
	if !reflect.DeepEqual(door.backedUp, []string{"/mnt/copy", "/mnt/copy", "/mnt/copy"}) {
		t.Errorf("copies in %v", door.backedUp)
	}
}
