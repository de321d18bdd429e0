package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/miroir-search/miroir/api"
)

// Ring is a set of keys under one master key. It is not changed after it was made,
// and safe for concurrent use.
//
// Tokens are looked up by a hash with a salt that only this process knows, so how
// long a look-up takes says nothing about a secret.
type Ring struct {
	master string
	salt   [sha256.Size]byte
	byUID  map[string]*Access
	byHash map[digest]*Access
	// tenants remembers tenant tokens that were found good. A change of keys makes
	// a new ring and with it a new memory.
	tenants *tenants
}

type digest [sha256.Size]byte

// NewRing makes a ring. The master key is not empty.
func NewRing(master string, keys []*Key) *Ring {
	r := &Ring{master: master}
	_, _ = rand.Read(r.salt[:]) // never fails
	r.fill(keys)
	return r
}

func (r *Ring) fill(keys []*Key) {
	r.byUID, r.byHash, r.tenants = make(map[string]*Access, len(keys)), make(map[digest]*Access, len(keys)), &tenants{}
	for _, k := range keys {
		a := newAccess(k)
		r.byUID[k.UID], r.byHash[r.hash(Value(r.master, k.UID))] = a, a
	}
}

func (r *Ring) hash(token string) digest {
	var room [256]byte
	return sha256.Sum256(append(append(room[:0], r.salt[:]...), token...))
}

// With is the ring with one more key, or another state of one. Its value is made
// once; those of the others are kept.
func (r *Ring) With(k *Key) *Ring {
	next := r.clone()
	a := newAccess(k)
	next.byUID[k.UID], next.byHash[r.hash(Value(r.master, k.UID))] = a, a
	return next
}

// Without is the ring without a key.
func (r *Ring) Without(k *Key) *Ring {
	next := r.clone()
	delete(next.byUID, k.UID)
	delete(next.byHash, r.hash(Value(r.master, k.UID)))
	return next
}

func (r *Ring) clone() *Ring {
	return &Ring{master: r.master, salt: r.salt, byUID: maps.Clone(r.byUID), byHash: maps.Clone(r.byHash), tenants: &tenants{}}
}

// Keys lists all keys, those first that were made last.
func (r *Ring) Keys() []*Key {
	all := make([]*Key, 0, len(r.byUID))
	for _, a := range r.byUID {
		all = append(all, a.key)
	}
	slices.SortFunc(all, newestFirst)
	return all
}

// Has tells whether there is a key of that uid.
func (r *Ring) Has(uid string) bool { return r.byUID[uid] != nil }

// Find finds a key by its uid, in any form of one, or by its value.
func (r *Ring) Find(text string) (*Key, *api.Error) {
	var a *Access
	if id, err := uuid.Parse(text); err == nil && api.BadUUID(text) == "" {
		text = id.String()
		a = r.byUID[text]
	} else {
		a = r.byValue(text)
	}
	if a == nil {
		return nil, api.APIKeyNotFound(text)
	}
	return a.key, nil
}

// byValue finds what belongs to a key's value. Its letters may be capitals.
func (r *Ring) byValue(value string) *Access {
	if a := r.byHash[r.hash(value)]; a != nil || len(value) != hex.EncodedLen(sha256.Size) || strings.ToLower(value) == value {
		return a
	}
	return r.byHash[r.hash(strings.ToLower(value))]
}

// Authorize decides what a token that is not the master key may do: action, on index
// unless that is "".
func (r *Ring) Authorize(token, action, index string, now time.Time) (*Access, *api.Error) {
	a, bad := r.identify(token, action, now)
	if bad == nil {
		bad = a.check(action, index, now)
	}
	if bad != nil {
		return nil, bad
	}
	return a, nil
}

// identify finds what is behind a token: a key, or a tenant where tenants may go.
func (r *Ring) identify(token, action string, now time.Time) (*Access, *api.Error) {
	if (action == "search" || action == "chatCompletions") && strings.Count(token, ".") >= 2 {
		return r.tenant(token, now)
	}
	if a := r.byValue(token); a != nil {
		return a, nil
	}
	return nil, api.InvalidAPIKey()
}

// rememberedTenants bounds the memory of tenant tokens.
const rememberedTenants = 4096

// tenants is a memory of tokens whose signature is good.
type tenants struct {
	mu    sync.RWMutex
	known map[digest]*tenant
}

func (t *tenants) get(d digest) *tenant {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.known[d]
}

// put forgets everything when there is no room: what is in use comes back.
func (t *tenants) put(d digest, found *tenant) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known == nil || len(t.known) >= rememberedTenants {
		t.known = make(map[digest]*tenant)
	}
	t.known[d] = found
}
