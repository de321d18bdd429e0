package embedding

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/miroir-search/miroir/actors"
	"github.com/miroir-search/miroir/embedded"
	"github.com/miroir-search/miroir/messages"
)

// Two clusters live in one actor system beside the actors of the program. What
// goes wrong in one of them, and its end, is not noticed by the other.
func TestTwoClustersInOneActorSystem(t *testing.T) {
	before := goleak.IgnoreCurrent()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	system := quietSystem()
	asker := spawnAsker(t, system)
	actorsBefore := processes(system)

	left, right := newFleet(t, "left"), newFleet(t, "right")
	left.start(ctx, t, system)
	right.start(ctx, t, system)

	for _, f := range []*fleet{left, right} {
		task := f.write(ctx, t, asker, fmt.Sprintf(`[{"id":1,"title":"The Mirror of %s"},{"id":2,"title":"Metropolis"}]`, f.name))
		f.succeeds(ctx, t, task)
		f.finds(ctx, t, asker, "mirror", "The Mirror of "+f.name)
	}

	t.Run("a node actor that panics is started again", func(t *testing.T) {
		nodeActorPanics(ctx, t, left, right, asker)
	})
	t.Run("a node client that panics costs one call", func(t *testing.T) {
		clientPanics(ctx, t, left, asker)
	})
	t.Run("the other goes on when one stops", func(t *testing.T) {
		oneStops(ctx, t, system, left, right, asker)
	})
	t.Run("one that stopped starts again under its name", func(t *testing.T) {
		left.start(ctx, t, system)
		left.finds(ctx, t, asker, "mirror", "The Mirror of left")
	})

	left.stop(ctx, t)
	right.stop(ctx, t)
	left.close(t)
	right.close(t)
	if got := processes(system); !slices.Equal(got, actorsBefore) {
		t.Errorf("actors are left over: %v, before there were %v", got, actorsBefore)
	}
	if err := system.Root.StopFuture(asker.pid).Wait(); err != nil {
		t.Errorf("stop the program's own actor: %v", err)
	}
	system.Shutdown()
	goleak.VerifyNone(t, before)
}

// nodeActorPanics makes a node actor panic inside Receive: through the logger,
// the only code of the embedding program that runs there.
func nodeActorPanics(ctx context.Context, t *testing.T, left, right *fleet, asker *asker) {
	broken := left.nodes[0]
	left.panicOn.Store("node is out of service")
	mend := broken.Faults().Add(embedded.Fault{Path: "/health", Status: 500})
	eventually(ctx, t, "the node actor panicked", func() bool {
		return left.metric(t, "miroir_actor_panics_total", "node") > 0
	})
	left.finds(ctx, t, asker, "mirror", "The Mirror of left") // from the other group
	right.finds(ctx, t, asker, "mirror", "The Mirror of right")
	left.panicOn.Store("")
	mend()

	eventually(ctx, t, "the node actor was started again", func() bool {
		return left.metric(t, "miroir_actor_restarts_total", "node") > 0
	})
	eventually(ctx, t, "the node is in service again", func() bool { return !left.cluster.Topology().Degraded })
	task := left.write(ctx, t, asker, `[{"id":3,"title":"Solaris"}]`)
	left.succeeds(ctx, t, task)
	left.finds(ctx, t, asker, "solaris", "Solaris")
	if n := right.metric(t, "miroir_actor_panics_total", "node"); n != 0 {
		t.Errorf("%v actors of the other cluster panicked too", n)
	}
}

// clientPanics lets the node client of the embedding program panic, which
// happens outside any actor.
func clientPanics(ctx context.Context, t *testing.T, f *fleet, asker *asker) {
	f.client.panicFor.Store(f.nodes[1].URL())
	eventually(ctx, t, "a call panicked", func() bool {
		f.finds(ctx, t, asker, "mirror", "The Mirror of left")
		return f.metric(t, "miroir_actor_panics_total", "node call") > 0
	})
	f.client.panicFor.Store("")
	eventually(ctx, t, "the node is in service again", func() bool { return !f.cluster.Topology().Degraded })
}

func oneStops(ctx context.Context, t *testing.T, system *actor.ActorSystem, left, right *fleet, asker *asker) {
	left.stop(ctx, t)
	for _, id := range processes(system) {
		if id == "left" || strings.HasPrefix(id, "left/") || strings.HasPrefix(id, "left-") {
			t.Errorf("the stopped cluster still has the actor %s", id)
		}
	}
	if a := left.cluster.Read(ctx, &messages.Search{IndexUID: "films", Body: []byte(`{}`)}); a.Err == nil || a.Err.Code != "miroir_overloaded" {
		t.Errorf("a search in a stopped cluster was answered with %s and error %v", a.Body, a.Err)
	}
	task := right.write(ctx, t, asker, `[{"id":4,"title":"Stalker"}]`)
	right.succeeds(ctx, t, task)
	right.finds(ctx, t, asker, "stalker", "Stalker")
}

// A program that embeds Miroir decides what it registers and where.
func TestNothingGlobalIsTouched(t *testing.T) {
	families, err := prometheus.DefaultGatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "miroir_") {
			t.Errorf("%s is in the default registry", f.GetName())
		}
	}
}

// Two clusters of one name would share the names of their actors.
func TestASecondClusterOfOneNameIsRefused(t *testing.T) {
	before := goleak.IgnoreCurrent()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	system := quietSystem()
	first, second := newFleet(t, "same"), newFleet(t, "same")
	first.start(ctx, t, system)
	cluster, err := actors.Start(ctx, second.options(system))
	if err == nil {
		t.Error("a second cluster with the name of the first was started")
		if err := cluster.Stop(ctx); err != nil {
			t.Error(err)
		}
	}
	first.stop(ctx, t)
	first.close(t)
	second.close(t)
	system.Shutdown()
	goleak.VerifyNone(t, before)
}
