package tests

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miroir-search/miroir/tests/fleet"
)

// A fleet of real nodes is backed up while it is written to, and brought back on
// other nodes. Embedded ones are backed up by the tests of package actors.
func TestARealFleetIsBroughtBackFromABackup(t *testing.T) {
	real := fleet.RealBinary(t)
	f := fleet.Start(t, fleet.Options{Groups: 2, PerGroup: 1, Real: real})
	f.Write(t, "PATCH", "/indexes/films/settings", `{"sortableAttributes":["n"]}`)
	var mu sync.Mutex
	before, after := map[string]bool{}, map[string]bool{}
	var began, ordered, stop atomic.Bool
	var sent atomic.Int64
	var writers sync.WaitGroup
	for w := range 3 {
		writers.Go(func() {
			for k := 0; !stop.Load(); k++ {
				id, late := fmt.Sprintf("w%d-%d", w, k), ordered.Load()
				a, err := f.Try("POST", "/indexes/films/documents", fmt.Sprintf(`[{"id":%q,"n":%d}]`, id, k))
				mu.Lock()
				if late {
					after[id] = true
				} else if err == nil && a.Status == 202 && !began.Load() {
					before[id] = true
				}
				mu.Unlock()
				sent.Add(1)
			}
		})
	}
	more := func(n int64) {
		want := sent.Load() + n
		fleet.Eventually(t, 60*time.Second, "writes are answered", func() error {
			if sent.Load() < want {
				return fmt.Errorf("%d of %d", sent.Load(), want)
			}
			return nil
		})
	}
	more(60)
	began.Store(true)
	dump := f.Do(t, "POST", "/dumps", "").TaskUID()
	snapshot := f.Do(t, "POST", "/snapshots", "").TaskUID()
	ordered.Store(true)
	more(60)
	f.Succeeded(t, dump)
	f.Succeeded(t, snapshot)
	stop.Store(true)
	writers.Wait()
	for _, kind := range []string{"dump", "snapshot"} {
		t.Run(kind, func(t *testing.T) {
			g := broughtBack(t, f, real, kind)
			var list struct {
				Total   int
				Results []struct{ ID string }
			}
			g.Get(t, "/indexes/films/documents?limit=100000", &list)
			got := map[string]bool{}
			for _, d := range list.Results {
				got[d.ID] = true
			}
			t.Logf("%d documents were brought back, %d acknowledged before, %d sent after", len(got), len(before), len(after))
			for id := range before {
				if !got[id] {
					t.Errorf("%s was acknowledged before and is missing", id)
				}
			}
			for id := range after {
				if got[id] {
					t.Errorf("%s was sent after and is there", id)
				}
			}
			g.Write(t, "POST", "/indexes/films/documents", `[{"id":"new","n":-1}]`)
			g.Get(t, "/indexes/films/documents?sort=n:asc&limit=1", &list)
			if list.Total != len(got)+1 || list.Results[0].ID != "new" {
				t.Errorf("after one more write: %+v", list)
			}
		})
	}
}

// broughtBack starts other nodes with the files of a backup.
func broughtBack(t *testing.T, f *fleet.Fleet, real, kind string) *fleet.Fleet {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(f.Dir, "miroir", kind+"s", "*"))
	if err != nil || len(dirs) != 1 {
		t.Fatalf("backups %v: %v", dirs, err)
	}
	data, err := os.ReadFile(filepath.Join(dirs[0], "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Nodes []struct {
			ID, State, DumpUID string
			Group              int
		}
	}
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	var nodes []*fleet.Node
	for _, n := range m.Nodes {
		if n.State != "done" {
			t.Fatalf("%+v", n)
		}
		file := filepath.Join(f.Node(t, n.ID).Dir, kind+"s", "data.ms.snapshot")
		if kind == "dump" {
			file = filepath.Join(filepath.Dir(file), n.DumpUID+".dump")
		} else if list, err := filepath.Glob(filepath.Join(filepath.Dir(file), "*.snapshot")); err == nil && len(list) == 1 {
			file = list[0]
		}
		node := fleet.StartNodeWithKey(t, n.ID, real, "", "--import-"+kind, file)
		node.Group = n.Group
		nodes = append(nodes, node)
	}
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "miroir"), os.DirFS(filepath.Join(dirs[0], "store"))); err != nil {
		t.Fatal(err)
	}
	return fleet.StartOver(t, fleet.Options{Groups: 2, PerGroup: 1, Real: real}, nodes, dir)
}
