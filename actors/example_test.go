package actors_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/miroir-search/miroir/actors"
	"github.com/miroir-search/miroir/embedded"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/store"
	"github.com/miroir-search/miroir/topology"
)

// librarian is an actor of the embedding program. Whatever message it is given
// it sends on to Miroir, and it shows what comes back.
type librarian struct {
	miroir  *actor.PID
	answers chan<- any
}

func (l *librarian) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.Search, *messages.AddDocuments:
		ctx.Request(l.miroir, m) // the reply comes back as a message
	case *messages.Answer, *messages.TaskAccepted:
		l.answers <- m
	}
}

// A program that has an actor system of its own starts Miroir in it. Goroutines
// ask with Read and Write; actors send the same messages to the cluster's PID.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	// Two nodes in one group, so that each holds about half of the documents.
	// A real deployment names Meilisearch servers here.
	var nodes []topology.Node
	for _, id := range []string{"a0", "a1"} {
		n, err := embedded.Start(embedded.Options{Addr: "127.0.0.1:0"})
		if err != nil {
			fmt.Println(err)
			return
		}
		defer func() { _ = n.Close() }()
		nodes = append(nodes, topology.Node{ID: id, Address: n.URL()})
	}
	data, err := store.Open(ctx, store.Options{Ephemeral: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = data.Close() }()
	system := actor.NewActorSystem(actor.WithDeadLetterThrottleInterval(time.Millisecond), actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
		return slog.New(slog.DiscardHandler)
	}))
	defer system.Shutdown()

	miroir, err := actors.Start(ctx, actors.Options{System: system, Nodes: nodes, Store: data})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = miroir.Stop(ctx) }() // before what it was given is closed

	// From a goroutine.
	accepted := miroir.Write(ctx, &messages.AddDocuments{
		IndexUID: "films", Format: "json", WriteOptions: messages.WriteOptions{CreateAllowed: true},
		Payload: []byte(`[{"id":1,"title":"Metropolis"},{"id":2,"title":"The Mirror"}]`),
	})
	fmt.Println(outcome(ctx, miroir, accepted))
	answer := miroir.Read(ctx, &messages.Search{IndexUID: "films", Body: []byte(`{"q":"mirror"}`)})
	fmt.Println(titles(answer))

	// From an actor.
	answers := make(chan any, 1)
	own := system.Root.Spawn(actor.PropsFromProducer(func() actor.Actor {
		return &librarian{miroir: miroir.PID(), answers: answers}
	}))
	system.Root.Send(own, &messages.AddDocuments{
		IndexUID: "films", Format: "ndjson", Payload: []byte(`{"id":3,"title":"Black Mirror"}`),
	})
	fmt.Println(outcome(ctx, miroir, (<-answers).(*messages.TaskAccepted)))
	system.Root.Send(own, &messages.Search{IndexUID: "films", Body: []byte(`{"q":"mirror"}`)})
	fmt.Println(titles((<-answers).(*messages.Answer)))
	_ = system.Root.StopFuture(own).Wait()

	// Output:
	// task 0 succeeded
	// [The Mirror]
	// task 1 succeeded
	// [The Mirror Black Mirror]
}

// outcome waits until an accepted write is carried out: 202 means that it will
// be, not that it was.
func outcome(ctx context.Context, miroir *actors.Cluster, accepted *messages.TaskAccepted) string {
	if accepted.Err != nil {
		return accepted.Err.Message
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		task, err := miroir.Task(ctx, int64(accepted.Task.TaskUID))
		if err != nil {
			return err.Error()
		}
		if task.Finished() {
			return fmt.Sprintf("task %d %s", task.UID, task.Status)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err().Error()
		}
	}
}

// titles lists what a search found.
func titles(answer *messages.Answer) []string {
	if answer.Err != nil {
		return []string{answer.Err.Message}
	}
	var page struct{ Hits []struct{ Title string } }
	if err := json.Unmarshal(answer.Body, &page); err != nil {
		return []string{err.Error()}
	}
	var found []string
	for _, hit := range page.Hits {
		found = append(found, hit.Title)
	}
	return found
}
