package actors

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miroir-search/miroir/embedded"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/store"
	"github.com/miroir-search/miroir/topology"
)

// The first start may have a mistake in it; it must not fix the topology before
// any data lies by it.
func TestATopologyBindsOnceThereIsAnIndex(t *testing.T) {
	a, b := embedded.RunT(t), embedded.RunT(t)
	dir := filepath.Join(t.TempDir(), "data")
	run := func(groupOfB int, then func(c *Cluster)) error {
		t.Helper()
		st, err := store.Open(context.Background(), store.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = st.Close() }()
		c, err := Start(context.Background(), Options{System: testSystem, Name: "placement", Store: st, Nodes: []topology.Node{
			{ID: "a", Address: a.URL()}, {ID: "b", Address: b.URL(), Group: groupOfB},
		}})
		if err != nil {
			return err
		}
		then(c)
		return c.Stop(context.Background())
	}
	nothing := func(*Cluster) {}
	if err := run(1, nothing); err != nil {
		t.Fatal(err)
	}
	create := func(c *Cluster) {
		if a := c.Write(context.Background(), &messages.CreateIndex{IndexUID: "films"}); a.Err != nil {
			t.Error(a.Err)
		}
	}
	if err := run(0, create); err != nil {
		t.Fatalf("a topology without data cannot be corrected: %v", err)
	}
	if err := run(1, nothing); err == nil || !strings.Contains(err.Error(), "node b was in group 0 and is now in group 1") {
		t.Errorf("a topology with data was changed: %v", err)
	}
}
