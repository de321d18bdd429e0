package auth

import (
	"testing"

	"github.com/google/uuid"
)

// What one request costs, with many keys.
func BenchmarkAuthorize(b *testing.B) {
	keys := []*Key{{UID: searchUID, Actions: []string{"search"}, Indexes: []string{"movies", "m*"}}}
	for range 10_000 {
		keys = append(keys, &Key{UID: uuid.NewString(), Actions: []string{"search"}, Indexes: []string{"*"}})
	}
	r := NewRing(testMaster, keys)
	secret := Value(testMaster, searchUID)
	good := sign(hs256, claims(searchUID, `,"searchRules":{"movies":{"filter":"genre = drama"}}`), secret)
	for name, token := range map[string]string{"key": secret, "tenant": good, "wrong": "x" + secret[1:], "forged": good[:len(good)-8] + "AAAAAAAA"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = r.Authorize(token, "search", "movies", testNow)
			}
		})
	}
}
