package http

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/auth"
	"github.com/miroir-search/miroir/store"
)

// keyPrefix begins the names of the stored values that are API keys; the uid follows.
const keyPrefix = "api_key/"

// KeyStore keeps API keys. A store.Store is one.
type KeyStore interface {
	Values(ctx context.Context, prefix string) (map[string]json.RawMessage, error)
	Commit(ctx context.Context, b *store.Batch) error
}

// Keys lets in by the master key (everything), the admin key (Miroir's own routes
// only), API keys and tenant tokens. Without a master key every route is open,
// except those of keys.
//
// API keys are read once. A request looks at memory only; a change is in force once
// it is durable.
type Keys struct {
	master    string
	masterSum [sha256.Size]byte
	adminSum  [sha256.Size]byte
	hasAdmin  bool
	now       func() time.Time
	changing  sync.Mutex // one change at a time
	store     KeyStore   // nil: kept in memory only
	ring      atomic.Pointer[auth.Ring]
}

// NewStaticKeys makes Keys that begin without API keys and are kept nowhere; empty
// keys are not set.
func NewStaticKeys(master, admin string) *Keys {
	k := &Keys{master: master, masterSum: sha256.Sum256([]byte(master)), adminSum: sha256.Sum256([]byte(admin)), hasAdmin: admin != "",
		now: func() time.Time { return time.Now().UTC() }}
	k.ring.Store(auth.NewRing(master, nil))
	return k
}

// OpenKeys reads the API keys of a store. When there are none, and a master key makes
// them of use, the default ones are made.
func OpenKeys(ctx context.Context, master, admin string, s KeyStore) (*Keys, error) {
	k := NewStaticKeys(master, admin)
	k.store = s
	if master == "" {
		return k, nil
	}
	stored, err := s.Values(ctx, keyPrefix)
	if err != nil {
		return nil, fmt.Errorf("read the API keys: %w", err)
	}
	keys := make([]*auth.Key, 0, len(stored))
	for name, raw := range stored {
		key := &auth.Key{}
		if err := json.Unmarshal(raw, key); err != nil {
			return nil, fmt.Errorf("read the API key %s: %w", strings.TrimPrefix(name, keyPrefix), err)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		keys = auth.Defaults(k.now())
		if err := k.save(ctx, keys...); err != nil {
			return nil, fmt.Errorf("store the default API keys: %w", err)
		}
	}
	k.ring.Store(auth.NewRing(master, keys))
	return k, nil
}

func (k *Keys) save(ctx context.Context, keys ...*auth.Key) error {
	values := make(map[string]json.RawMessage, len(keys))
	for _, key := range keys {
		raw, err := json.Marshal(key)
		if err != nil {
			return err
		}
		values[keyPrefix+key.UID] = raw
	}
	return k.commit(ctx, values)
}

func (k *Keys) commit(ctx context.Context, values map[string]json.RawMessage) error {
	if k.store == nil {
		return nil
	}
	return k.store.Commit(ctx, &store.Batch{Values: values})
}

// Authorize implements Authorizer. Comparing hashes takes the same time for every
// token, whatever its length.
func (k *Keys) Authorize(cred Credentials, want Access) (*Grant, *api.Error) {
	if k.master == "" {
		if strings.HasPrefix(string(want.Action), "keys.") {
			return nil, api.MissingMasterKey()
		}
		return everything, nil
	}
	if !cred.Present {
		return nil, api.MissingAuthorizationHeader()
	}
	sum := sha256.Sum256([]byte(cred.Token))
	if subtle.ConstantTimeCompare(sum[:], k.masterSum[:]) == 1 {
		return everything, nil
	}
	if want.Action == ActionAdmin {
		if k.hasAdmin && subtle.ConstantTimeCompare(sum[:], k.adminSum[:]) == 1 {
			return everything, nil
		}
		return nil, api.InvalidAPIKey()
	}
	a, bad := k.ring.Load().Authorize(cred.Token, string(want.Action), want.IndexUID, k.now())
	if bad != nil {
		return nil, bad
	}
	g := &Grant{Owner: a.KeyUID(), CreateIndexes: a.MayCreate()}
	if a.Restricted() {
		g.Allowed, g.Patterns = a.Allows, a.Patterns()
	}
	if a.Tenant() {
		g.Filter = a.Filter
	}
	return g, nil
}

// change carries out one change of keys. next gives the value to store, nil for none,
// and the ring that is in force afterwards.
func (k *Keys) change(ctx context.Context, next func(r *auth.Ring) (*auth.Key, *auth.Ring, *api.Error)) (*auth.Key, error) {
	k.changing.Lock()
	defer k.changing.Unlock()
	key, ring, bad := next(k.ring.Load())
	if bad != nil {
		return nil, bad
	}
	var err error
	if ring.Has(key.UID) {
		err = k.save(ctx, key)
	} else {
		err = k.commit(ctx, map[string]json.RawMessage{keyPrefix + key.UID: nil})
	}
	if err != nil {
		return nil, err
	}
	k.ring.Store(ring)
	return key, nil
}
