package webhooks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/sirupsen/logrus"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/store"
)

// valueName is where the webhooks of clients are stored.
const valueName = "webhooks"

// Options of Hooks. Store and Encode are required.
type Options struct {
	Store store.Store
	// Encode gives a task in JSON as clients see it.
	Encode func(t *store.Task) ([]byte, error)
	// URL is the webhook of the operator, which clients see and cannot change;
	// Authorization is what it is shown in the header of that name. Empty: none.
	URL, Authorization string

	Logger     *logrus.Logger        // nil: silence
	Registerer prometheus.Registerer // nil: metrics are kept but not exported

	// Timeout is how long one call may take, 30 s when 0. Queue is how many tasks
	// may wait for one webhook, 100,000 when 0.
	Timeout time.Duration
	Queue   int
}

// Hooks are the webhooks of one Miroir. It is safe for concurrent use.
type Hooks struct {
	opts   Options
	log    *logrus.Logger
	client *http.Client
	told   *prometheus.CounterVec

	changing sync.Mutex // one change at a time

	mu      sync.Mutex
	defined map[string]*api.Webhook // by clients, by uuid; replaced, never changed
	queues  map[string]*queue       // of those that have something to do
	failing map[string]bool         // the last call failed, and that was logged

	ctx     context.Context //nolint:containedctx // of the calls, which belong to no request
	cancel  context.CancelFunc
	closing bool
	running sync.WaitGroup
}

// Open reads the webhooks that clients have defined.
func Open(ctx context.Context, o Options) (*Hooks, error) {
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Queue == 0 {
		o.Queue = 100_000
	}
	if o.Logger == nil {
		o.Logger = logrus.New()
		o.Logger.SetOutput(io.Discard)
	}
	h := &Hooks{opts: o, log: o.Logger, client: &http.Client{Timeout: o.Timeout, Transport: &http.Transport{Proxy: http.ProxyFromEnvironment}},
		defined: map[string]*api.Webhook{}, queues: map[string]*queue{}, failing: map[string]bool{}}
	h.told = promauto.With(o.Registerer).NewCounterVec(prometheus.CounterOpts{Name: "miroir_webhook_tasks_total",
		Help: "Ended tasks that a webhook was told of, by outcome: told, failed (no answer, or an error) or dropped (too many waited)."}, []string{"outcome"})
	raw, err := o.Store.Value(ctx, valueName)
	if err == nil {
		err = json.Unmarshal(raw, &h.defined)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("read the webhooks: %w", err)
	}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	return h, nil
}

// All are the webhooks by uuid, with that of the operator.
func (h *Hooks) All() map[string]*api.Webhook {
	h.mu.Lock()
	all := maps.Clone(h.defined)
	h.mu.Unlock()
	if h.opts.URL != "" {
		own := &api.Webhook{URL: h.opts.URL, Headers: map[string]string{}}
		if h.opts.Authorization != "" {
			own.Headers["Authorization"] = h.opts.Authorization
		}
		all[api.OwnWebhook] = own
	}
	return all
}

// Change puts what next gives in the place of the webhook id; nil takes it away.
// next gets what is there, nil for nothing, and how many webhooks clients have
// defined. It is in force once it is durable.
func (h *Hooks) Change(ctx context.Context, id string, next func(old *api.Webhook, defined int) (*api.Webhook, error)) (*api.Webhook, error) {
	h.changing.Lock()
	defer h.changing.Unlock()
	h.mu.Lock()
	all := maps.Clone(h.defined)
	h.mu.Unlock()
	w, err := next(all[id], len(all))
	if err != nil {
		return nil, err
	}
	if w == nil {
		delete(all, id)
	} else {
		all[id] = w
	}
	raw, err := api.Marshal(all)
	if err != nil {
		return nil, fmt.Errorf("encode the webhooks: %w", err)
	}
	if err := h.opts.Store.Commit(ctx, &store.Batch{Values: map[string]json.RawMessage{valueName: raw}}); err != nil {
		return nil, fmt.Errorf("keep the webhooks: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.defined = all
	return w, nil
}

// Store is the store to work with, so that webhooks hear of the tasks that end.
func (h *Hooks) Store() store.Store { return &watched{Store: h.opts.Store, hooks: h} }

// watched is a store whose commits are looked at.
type watched struct {
	store.Store
	hooks *Hooks
}

// Commit implements store.Store.
func (w *watched) Commit(ctx context.Context, b *store.Batch) error {
	if err := w.Store.Commit(ctx, b); err != nil {
		return err
	}
	var ended []int64
	for _, t := range b.Tasks {
		if t.Finished() {
			ended = append(ended, t.UID)
		}
	}
	if len(ended) > 0 {
		w.hooks.tell(ended)
	}
	return nil
}
