package actors

import (
	"context"
	"testing"

	"github.com/miroir-search/miroir/store"
)

// trimRefused fails the first commit that gives up what a node has missed.
type trimRefused struct {
	store.Store
	refused chan struct{}
}

func (s *trimRefused) Commit(ctx context.Context, b *store.Batch) error {
	for _, d := range b.Deliveries {
		if d.State == store.DeliveryRebuild {
			select {
			case s.refused <- struct{}{}:
				return store.ErrUnavailable
			default:
			}
		}
	}
	return s.Store.Commit(ctx, b)
}

func TestWhatTheJournalGivesUpIsRebuiltThoughTheStoreFails(t *testing.T) {
	f := newFleet(t, 2, 1, 1)
	f.wrap = func(s store.Store) store.Store { return &trimRefused{Store: s, refused: make(chan struct{}, 1)} }
	const limit = 256 << 10
	f.smallJournal(limit)
	f.must(adding("films", manyDocs(0, 20, "x")))
	f.down(1)
	for i := 0; f.c.rebuilds.get(rebuildKey{1, f.internal("films")}) == nil; i++ {
		if a := f.write(adding("films", large(2*i))); a.Err != nil || i > 200 {
			t.Fatalf("write %d: %v", i, a.Err)
		}
	}
	f.stop()
	f.up(1)
	f.start()
	f.readAgain()
	f.equal("films")
}
