package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Key is an API key without its value, which follows from the master key and is
// never kept. A Key is replaced, never changed.
type Key struct {
	Name        *string    `json:"name"`
	Description *string    `json:"description"`
	UID         string     `json:"uid"` // lower case, with hyphens
	Actions     []string   `json:"actions"`
	Indexes     []string   `json:"indexes"` // uids, prefixes that end in `*`, or `*`
	ExpiresAt   *time.Time `json:"expiresAt"`
	CreatedAt   time.Time  `json:"createdAt"`
	UpdatedAt   time.Time  `json:"updatedAt"`
}

// View is a key as clients see it, with its value.
type View struct {
	Name        *string    `json:"name"`
	Description *string    `json:"description"`
	Key         string     `json:"key"`
	UID         string     `json:"uid"`
	Actions     []string   `json:"actions"`
	Indexes     []string   `json:"indexes"`
	ExpiresAt   *time.Time `json:"expiresAt"`
	CreatedAt   time.Time  `json:"createdAt"`
	UpdatedAt   time.Time  `json:"updatedAt"`
}

// View shows a key under a master key.
func (k *Key) View(master string) View {
	return View{k.Name, k.Description, Value(master, k.UID), k.UID, k.Actions, k.Indexes, k.ExpiresAt, k.CreatedAt, k.UpdatedAt}
}

// Value is the secret of a key.
func Value(master, uid string) string {
	mac := hmac.New(sha256.New, []byte(master))
	mac.Write([]byte(uid))
	return hex.EncodeToString(mac.Sum(nil))
}

// Expired tells whether the key's time is over.
func (k *Key) Expired(now time.Time) bool { return k.ExpiresAt != nil && !k.ExpiresAt.After(now) }

// Defaults makes the four keys of a first start, in the order of listings.
func Defaults(now time.Time) []*Key {
	kinds := []struct{ name, description, actions string }{
		{"Default Search API Key", "Use it to search from the frontend", "search"},
		{"Default Admin API Key", "Use it for anything that is not a search operation. Caution! Do not expose it on a public frontend", "*"},
		{"Default Read-Only Admin API Key", "Use it to read information across the whole database. Caution! Do not expose this key on a public frontend", "*.get keys.get"},
		{"Default Chat API Key", "Use it to chat and search from the frontend", "chatCompletions search"},
	}
	keys := make([]*Key, len(kinds))
	for i, d := range kinds {
		made := now.Add(-time.Duration(i) * time.Microsecond) // the newest comes first
		keys[i] = &Key{Name: &d.name, Description: &d.description, UID: uuid.NewString(), Actions: strings.Fields(d.actions),
			Indexes: []string{"*"}, CreatedAt: made, UpdatedAt: made}
	}
	return keys
}

// newestFirst is the order of listings.
func newestFirst(a, b *Key) int {
	if n := b.CreatedAt.Compare(a.CreatedAt); n != 0 {
		return n
	}
	return strings.Compare(a.UID, b.UID)
}

// Matches tells whether a pattern means an index: its name, or a beginning and `*`.
func Matches(pattern, index string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(index, prefix)
	}
	return pattern == index
}

func matchesAny(patterns []string, index string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return Matches(p, index) })
}
