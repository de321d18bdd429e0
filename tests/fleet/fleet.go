package fleet

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Node is one Meilisearch server, embedded or real, in a process of its own.
type Node struct {
	*Process
	API
	ID     string
	Group  int
	Dir    string // of its data
	Faults API    // of a faulty node: where faults are planned
	Left   bool   // it is not in the configuration any more
}

// Options say what Start builds.
type Options struct {
	Groups, PerGroup int // 2 and 2 when zero
	Replicas, Shards int // 1 and 16 when zero
	MasterKey        string
	AdminKey         string
	// Real names a Meilisearch binary for the nodes; empty for embedded ones.
	Real string
	// Faulty runs embedded nodes whose tasks can misbehave.
	Faulty bool
	// Relay gives the address under which Miroir reaches a node; nil for its own.
	Relay func(n *Node) string
	// Weaken names what is taken away from Miroir, see package weaken; empty for
	// nothing.
	Weaken string
	// Lines are more lines of the configuration file.
	Lines string
}

func (o Options) filled() Options {
	for _, f := range []struct {
		field *int
		value int
	}{{&o.Groups, 2}, {&o.PerGroup, 2}, {&o.Replicas, 1}, {&o.Shards, 16}} {
		if *f.field == 0 {
			*f.field = f.value
		}
	}
	return o
}

// Fleet is a Miroir and its nodes.
type Fleet struct {
	*Proxy
	Nodes []*Node
	opts  Options
}

// Proxy is a `miroir serve` process.
type Proxy struct {
	*Process
	API
	Metrics string // URL of the metrics listener
	Dir     string // of the journal and the store
	file    string // its configuration
}

// StartNode starts one node with an empty directory and waits until it answers.
// real names a Meilisearch binary; empty for an embedded node.
func StartNode(t testing.TB, id, real string) *Node {
	t.Helper()
	return StartNodeWithKey(t, id, real, "")
}

// StartNodeWithKey is StartNode with a master key, and with more flags.
func StartNodeWithKey(t testing.TB, id, real, key string, flags ...string) *Node {
	t.Helper()
	dir, addr := t.TempDir(), freeAddr(t)
	n := &Node{ID: id, API: API{URL: "http://" + addr, Key: key}, Dir: dir}
	if real != "" {
		n.Process = newProcess(t, "node "+id, real, []string{"--http-addr", addr, "--db-path", filepath.Join(dir, "data"),
			"--dump-dir", filepath.Join(dir, "dumps"), "--snapshot-dir", filepath.Join(dir, "snapshots"), "--no-analytics", "--log-level", "WARN"}, nodeEnv("MEILI_MASTER_KEY", key))
	} else {
		n.Process = newProcess(t, "node "+id, Binary(t), []string{"node", "--http-addr", addr, "--db-path", dir}, nodeEnv("MIROIR_MASTER_KEY", key))
	}
	n.args = append(n.args, flags...)
	n.Start(t)
	return n
}

func nodeEnv(name, key string) []string {
	if key == "" {
		return nil
	}
	return []string{name + "=" + key}
}

// Start runs the process, again after Kill, and waits until it answers.
func (n *Node) Start(t testing.TB) {
	t.Helper()
	n.start(t)
	n.healthy(t)
}

// Restart kills the node and starts it again with its data.
func (n *Node) Restart(t testing.TB) {
	t.Helper()
	n.Kill()
	n.Start(t)
}

// Start starts nodes called a0, a1 … b0, b1 … and a Miroir in front of them, and
// waits until it is ready.
func Start(t testing.TB, o Options) *Fleet {
	t.Helper()
	f := &Fleet{opts: o.filled()}
	for g := range f.opts.Groups {
		for i := range f.opts.PerGroup {
			n := f.opts.startNode(t, fmt.Sprintf("%c%d", 'a'+g, i))
			n.Group = g
			f.Nodes = append(f.Nodes, n)
		}
	}
	f.begin(t, t.TempDir())
	return f
}

// StartOver starts a Miroir in front of nodes that run, with the data that is in
// the directory miroir below dir, and waits until it is ready.
func StartOver(t testing.TB, o Options, nodes []*Node, dir string) *Fleet {
	t.Helper()
	f := &Fleet{opts: o.filled(), Nodes: nodes}
	f.begin(t, dir)
	return f
}

func (f *Fleet) begin(t testing.TB, dir string) {
	t.Helper()
	f.Proxy = f.NewProxy(t, dir)
	f.Proxy.Start(t)
	for _, n := range f.Nodes { // with copies, writes need more than a readable one of each shard
		f.WaitState(t, n.ID, "ready")
	}
}

func (o Options) startNode(t testing.TB, id string) *Node {
	t.Helper()
	if o.Faulty && o.Real == "" {
		return StartFaultyNode(t, id)
	}
	return StartNode(t, id, o.Real)
}

// NewProxy describes a Miroir in front of the fleet's nodes that keeps its data
// in dir; Start runs it.
func (f *Fleet) NewProxy(t testing.TB, dir string) *Proxy {
	t.Helper()
	o := f.opts
	api, metrics := freeAddr(t), freeAddr(t)
	file := filepath.Join(t.TempDir(), "miroir.yaml")
	f.configure(t, file, api, metrics, dir)
	env := []string{"MIROIR_MASTER_KEY=" + o.MasterKey, "MIROIR_ADMIN_KEY=" + o.AdminKey}
	if len(o.MasterKey) < 16 { // production asks for a longer one
		env = append(env, "MIROIR_ENV=development")
	}
	binary := Binary(t)
	if o.Weaken != "" {
		binary = made(t, buildWeakened)
		env = append(env, "MIROIR_WEAKEN="+o.Weaken)
	}
	return &Proxy{
		Process: newProcess(t, "miroir", binary, []string{"serve", "--config", file}, env),
		API:     API{URL: "http://" + api, Key: o.MasterKey}, Metrics: "http://" + metrics, Dir: dir, file: file,
	}
}

// configure writes the configuration of a Miroir.
func (f *Fleet) configure(t testing.TB, file, api, metrics, dir string) {
	t.Helper()
	o := f.opts
	var b strings.Builder
	fmt.Fprintf(&b, "http_addr: %s\nmetrics_addr: %s\nreplication_factor: %d\nshards: %d\ndata_dir: %s\nlog: {requests: false}\n%snodes:\n",
		api, metrics, o.Replicas, o.Shards, filepath.Join(dir, "miroir"), o.Lines)
	for _, n := range f.Nodes {
		if n.Left {
			continue
		}
		address := n.URL
		if o.Relay != nil {
			address = o.Relay(n)
		}
		fmt.Fprintf(&b, "  - {id: %s, address: %q, group: %d}\n", n.ID, address, n.Group)
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Arrange writes another configuration: the ids of the nodes by group, such as
// "a0 a1", and the number of copies. Nodes that are new are started. It holds once
// Miroir is started again.
func (f *Fleet) Arrange(t testing.TB, groups []string, copies int) {
	t.Helper()
	f.opts.Replicas = copies
	for _, n := range f.Nodes {
		n.Left = true
	}
	for g, ids := range groups {
		for _, id := range strings.Fields(ids) {
			i := slices.IndexFunc(f.Nodes, func(n *Node) bool { return n.ID == id })
			if i < 0 {
				n := StartNode(t, id, f.opts.Real)
				n.Group = g
				i, f.Nodes = len(f.Nodes), append(f.Nodes, n)
			}
			f.Nodes[i].Left = false
		}
	}
	f.configure(t, f.file, strings.TrimPrefix(f.URL, "http://"), strings.TrimPrefix(f.Metrics, "http://"), f.Dir)
}

// Start runs the process, again after Kill, and waits until it is ready.
func (p *Proxy) Start(t testing.TB) {
	t.Helper()
	p.Launch(t)
	p.WaitReady(t)
}

// WaitReady waits until every shard has a readable copy.
func (p *Proxy) WaitReady(t testing.TB) {
	t.Helper()
	side := API{URL: p.Metrics}
	wait(t, 30*time.Second, "ready", p.done, func() error {
		a, err := side.try(http.MethodGet, "/ready", nil)
		if err == nil && a.Status != http.StatusOK {
			err = fmt.Errorf("%d %s", a.Status, a.Body)
		}
		return err
	})
}

// Restart kills Miroir with SIGKILL, starts it again and waits until it is ready.
func (p *Proxy) Restart(t testing.TB) {
	t.Helper()
	p.Kill()
	p.Start(t)
}

// Node finds a node by its id.
func (f *Fleet) Node(t testing.TB, id string) *Node {
	t.Helper()
	for _, n := range f.Nodes {
		if n.ID == id {
			return n
		}
	}
	t.Fatalf("no node %s", id)
	return nil
}

// Group lists the nodes of a group.
func (f *Fleet) Group(g int) []*Node {
	var out []*Node
	for _, n := range f.Nodes {
		if n.Group == g {
			out = append(out, n)
		}
	}
	return out
}

// TopologyNode is a node in GET /_miroir/topology.
type TopologyNode struct {
	ID, Address, State, Reason, Version string
	Since                               time.Time
	Shards, Behind                      int
}

// Topology is GET /_miroir/topology.
type Topology struct {
	Version, Shards, ReplicationFactor int
	Degraded                           bool
	Groups                             []struct {
		ID    int
		Nodes []TopologyNode
	}
}

// Seen is the node as Miroir sees it now.
func (p *Proxy) Seen(t testing.TB, id string) TopologyNode {
	t.Helper()
	var top Topology
	p.Get(t, "/_miroir/topology", &top)
	for _, g := range top.Groups {
		for _, n := range g.Nodes {
			if n.ID == id {
				return n
			}
		}
	}
	t.Fatalf("the topology has no node %s", id)
	return TopologyNode{}
}

// WaitState waits until Miroir sees a node in a state, with nothing to catch up
// when that is "ready".
func (p *Proxy) WaitState(t testing.TB, id, state string) {
	t.Helper()
	Eventually(t, 40*time.Second, id+" "+state, func() error {
		if n := p.Seen(t, id); n.State != state || state == "ready" && n.Behind > 0 {
			return fmt.Errorf("%s is %s, %d behind: %s", id, n.State, n.Behind, n.Reason)
		}
		return nil
	})
}
