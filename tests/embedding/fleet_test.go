package embedding

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/miroir-search/miroir/actors"
	"github.com/miroir-search/miroir/embedded"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/store"
	"github.com/miroir-search/miroir/topology"
)

// fleet is one cluster with all that is handed in to it: two groups of one
// node, so that either node alone can serve everything.
type fleet struct {
	name    string
	nodes   []*embedded.Node
	store   store.Store
	client  *client
	panicOn atomic.Value // string: the log message at which the logger panics
	log     *logrus.Logger
	cluster *actors.Cluster
	metrics *prometheus.Registry
}

func newFleet(t *testing.T, name string) *fleet {
	t.Helper()
	f := &fleet{name: name, log: logrus.New(), client: &client{}}
	f.panicOn.Store("")
	f.client.panicFor.Store("")
	f.log.SetOutput(io.Discard)
	f.log.AddHook(f)
	for range 2 {
		n, err := embedded.Start(embedded.Options{Addr: "127.0.0.1:0"})
		if err != nil {
			t.Fatal(err)
		}
		f.nodes = append(f.nodes, n)
	}
	s, err := store.Open(t.Context(), store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	f.store = s
	return f
}

func (f *fleet) options(system *actor.ActorSystem) actors.Options {
	f.metrics = prometheus.NewRegistry()
	f.client.Client = nodeclient.New(nodeclient.Options{}) // the cluster closes it when it stops
	return actors.Options{
		System: system, Name: f.name, Store: f.store, Client: f.client, Logger: f.log, Registerer: f.metrics,
		Nodes: []topology.Node{
			{ID: "a", Address: f.nodes[0].URL(), Group: 0},
			{ID: "b", Address: f.nodes[1].URL(), Group: 1},
		},
		ProbeInterval: 20 * time.Millisecond,
	}
}

func (f *fleet) start(ctx context.Context, t *testing.T, system *actor.ActorSystem) {
	t.Helper()
	c, err := actors.Start(ctx, f.options(system))
	if err != nil {
		t.Fatalf("start %s: %v", f.name, err)
	}
	f.cluster = c
}

func (f *fleet) stop(ctx context.Context, t *testing.T) {
	t.Helper()
	if err := f.cluster.Stop(ctx); err != nil {
		t.Errorf("stop %s: %v", f.name, err)
	}
}

func (f *fleet) close(t *testing.T) {
	t.Helper()
	if err := f.store.Close(); err != nil {
		t.Error(err)
	}
	for _, n := range f.nodes {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Levels makes a fleet a hook of its logger.
func (f *fleet) Levels() []logrus.Level { return logrus.AllLevels }

// Fire panics when it is time to.
func (f *fleet) Fire(e *logrus.Entry) error {
	if want := f.panicOn.Load().(string); want != "" && e.Message == want {
		panic("the program's own logger has a bug")
	}
	return nil
}

// client is a node client of the program's own.
type client struct {
	nodeclient.Client
	panicFor atomic.Value // string: the address for which Do panics in a search
}

func (c *client) Do(ctx context.Context, address string, r *nodeclient.Request) (*nodeclient.Response, error) {
	if c.panicFor.Load().(string) == address && strings.HasSuffix(r.Path, "/search") {
		panic("the program's own client has a bug")
	}
	return c.Client.Do(ctx, address, r)
}

// write sends documents through the program's own actor.
func (f *fleet) write(ctx context.Context, t *testing.T, asker *asker, docs string) int64 {
	t.Helper()
	reply := asker.ask(ctx, t, f.cluster.PID(), &messages.AddDocuments{
		IndexUID: "films", Format: "json", Payload: []byte(docs), WriteOptions: messages.WriteOptions{CreateAllowed: true},
	})
	accepted, ok := reply.(*messages.TaskAccepted)
	if !ok {
		t.Fatalf("a write was answered with %T", reply)
	}
	if accepted.Err != nil {
		t.Fatalf("%s refused a write: %v", f.name, accepted.Err)
	}
	return int64(accepted.Task.TaskUID)
}

func (f *fleet) succeeds(ctx context.Context, t *testing.T, uid int64) {
	t.Helper()
	eventually(ctx, t, "the task ended", func() bool {
		task, err := f.cluster.Task(ctx, uid)
		if err != nil {
			t.Fatal(err)
		}
		if task.Finished() && task.Status != "succeeded" {
			t.Fatalf("task %d %s: %s", uid, task.Status, task.Error)
		}
		return task.Finished()
	})
}

// finds searches through the program's own actor and wants exactly one film.
func (f *fleet) finds(ctx context.Context, t *testing.T, asker *asker, query, title string) {
	t.Helper()
	reply := asker.ask(ctx, t, f.cluster.PID(), &messages.Search{IndexUID: "films", Body: []byte(`{"q":"` + query + `"}`)})
	answer, ok := reply.(*messages.Answer)
	if !ok {
		t.Fatalf("a search was answered with %T", reply)
	}
	if answer.Err != nil {
		t.Fatalf("search in %s: %v", f.name, answer.Err)
	}
	var page struct{ Hits []struct{ Title string } }
	if err := json.Unmarshal(answer.Body, &page); err != nil {
		t.Fatal(err)
	}
	if len(page.Hits) != 1 || page.Hits[0].Title != title {
		t.Fatalf("%s found %v, want %s", f.name, page.Hits, title)
	}
}

// metric reads a counter that has the label actor.
func (f *fleet) metric(t *testing.T, name, kind string) float64 {
	t.Helper()
	families, err := f.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "actor" && l.GetValue() == kind {
					return m.GetCounter().GetValue()
				}
			}
		}
	}
	return 0
}

// asker is an actor of the program's own: it asks what it is told to and hands
// on what comes back.
type asker struct {
	system  *actor.ActorSystem
	pid     *actor.PID
	answers chan any
}

type question struct {
	to  *actor.PID
	msg any
}

func spawnAsker(t *testing.T, system *actor.ActorSystem) *asker {
	t.Helper()
	a := &asker{system: system, answers: make(chan any, 16)}
	pid, err := system.Root.SpawnNamed(actor.PropsFromProducer(func() actor.Actor { return a }), "asker")
	if err != nil {
		t.Fatal(err)
	}
	a.pid = pid
	return a
}

func (a *asker) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *question:
		ctx.Request(m.to, m.msg)
	case *messages.Answer, *messages.TaskAccepted:
		a.answers <- m
	}
}

func (a *asker) ask(ctx context.Context, t *testing.T, to *actor.PID, msg any) any {
	t.Helper()
	a.system.Root.Send(a.pid, &question{to, msg})
	select {
	case m := <-a.answers:
		return m
	case <-ctx.Done():
		t.Fatalf("%T was not answered", msg)
		return nil
	}
}

// quietSystem is the program's own actor system. Its throttle of dead letters
// sleeps for the interval even after Shutdown, which would look like a leak.
func quietSystem() *actor.ActorSystem {
	return actor.NewActorSystem(actor.WithDeadLetterThrottleInterval(time.Millisecond),
		actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
			return slog.New(slog.DiscardHandler)
		}))
}

// processes lists the names of all actors and futures of a system, but for the
// guardians: the library keeps one for every supervision strategy, for ever.
func processes(system *actor.ActorSystem) []string {
	var names []string
	for _, bucket := range system.ProcessRegistry.LocalPIDs.LocalPIDs {
		names = append(names, bucket.Keys()...)
	}
	names = slices.DeleteFunc(names, func(n string) bool { return strings.HasPrefix(n, "guardian$") })
	slices.Sort(names)
	return names
}

func eventually(ctx context.Context, t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-ctx.Done():
			t.Fatalf("it never happened that %s", what)
		case <-tick.C:
		}
	}
}
