package writes

import (
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/miroir-search/miroir/actors"
	"github.com/miroir-search/miroir/embedded"
	miroirhttp "github.com/miroir-search/miroir/http"
	"github.com/miroir-search/miroir/store"
	"github.com/miroir-search/miroir/tests/fleet"
	"github.com/miroir-search/miroir/topology"
)

func TestMain(m *testing.M) {
	code := m.Run()
	fleet.Cleanup()
	os.Exit(code)
}

func long() bool { return os.Getenv("MIROIR_LONG") != "" }

// miroir is a Miroir in this process, behind HTTP, and its nodes: a0, a1 … b0 ….
type miroir struct {
	fleet.API
	nodes   []*embedded.Node // nil over real servers
	urls    []string
	cluster *actors.Cluster
}

// shape is what a Miroir is built of.
type shape struct {
	groups, perGroup, copies, shards int
	// real names a Meilisearch binary for the nodes; empty for embedded ones.
	real   string
	change func(*actors.Options)
}

func (s shape) String() string {
	return fmt.Sprintf("%d groups of %d nodes, %d copies", s.groups, s.perGroup, s.copies)
}

// nodeID is the name of a node: its group, then its place in the group.
func nodeID(group, i int) string { return fmt.Sprintf("%c%d", 'a'+group, i) }

var names atomic.Int64

func startMiroir(t *testing.T, s shape) *miroir {
	t.Helper()
	m := &miroir{}
	log := logrus.New()
	log.SetOutput(io.Discard)
	if s.shards == 0 {
		s.shards = 16
	}
	o := actors.Options{
		Name: fmt.Sprintf("writes%d", names.Add(1)), ReplicationFactor: s.copies, Shards: s.shards, Logger: log,
		ProbeInterval: 100 * time.Millisecond, StartWait: 30 * time.Second,
	}
	for g := range s.groups {
		for i := range s.perGroup {
			var url string
			if s.real == "" {
				n := embedded.RunT(t, embedded.Options{Addr: "127.0.0.1:0", Window: -1})
				m.nodes, url = append(m.nodes, n), n.URL()
			} else {
				url = fleet.StartReal(t, s.real).URL
			}
			m.urls = append(m.urls, url)
			o.Nodes = append(o.Nodes, topology.Node{ID: nodeID(g, i), Address: url, Group: g})
		}
	}
	if s.change != nil {
		s.change(&o)
	}
	st, err := store.Open(t.Context(), store.Options{Ephemeral: true, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	o.Store = st
	if m.cluster, err = actors.Start(t.Context(), o); err != nil {
		_ = st.Close()
		t.Fatal(err)
	}
	server := httptest.NewServer(miroirhttp.New(miroirhttp.Options{Door: m.cluster, Logger: log}))
	m.URL = server.URL
	t.Cleanup(func() {
		server.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := m.cluster.Stop(ctx); err != nil {
			t.Error(err)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	fleet.Eventually(t, 60*time.Second, "all nodes are in service", func() error {
		for _, g := range m.cluster.Topology().Groups {
			for _, n := range g.Nodes {
				if n.State != "ready" {
					return fmt.Errorf("node %s is %s: %s", n.ID, n.State, n.Reason)
				}
			}
		}
		return nil
	})
	return m
}

// single is one server alone.
func single(t *testing.T, real string) fleet.API {
	t.Helper()
	if real != "" {
		return fleet.API{URL: fleet.StartReal(t, real).URL}
	}
	return fleet.API{URL: embedded.RunT(t, embedded.Options{Addr: "127.0.0.1:0", Window: -1}).URL()}
}
