package auth

import (
	"crypto/hmac"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/miroir-search/miroir/api"
)

const (
	testMaster = "master-key-of-the-comparison"
	searchUID  = "6062abda-a5aa-4414-ac91-ecd7944c0f8d" // searches in movies and m*
	docsUID    = "6062abda-a5aa-4414-ac91-ecd7944c0f8e" // documents.* only
	goneUID    = "11111111-1111-4111-8111-111111111111" // no such key
)

var testNow = time.Date(2026, 11, 26, 18, 0, 0, 0, time.UTC)

func testRing() *Ring {
	return NewRing(testMaster, []*Key{
		{UID: searchUID, Actions: []string{"search"}, Indexes: []string{"movies", "m*"}},
		{UID: docsUID, Actions: []string{"documents.*"}, Indexes: []string{"*"}},
	})
}

// sign makes a token of any header and claims.
func sign(header, claims, secret string) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	algorithm := signers["HS256"]
	for name, h := range signers {
		if strings.Contains(header, `"`+name+`"`) {
			algorithm = h
		}
	}
	mac := hmac.New(algorithm, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

const hs256 = `{"alg":"HS256","typ":"JWT"}`

func claims(uid, rest string) string { return `{"apiKeyUid":"` + uid + `"` + rest + `}` }

// The texts are those of Meilisearch v1.50.
func TestTenantTokensAreChecked(t *testing.T) {
	secret, all := Value(testMaster, searchUID), `,"searchRules":["*"]`
	good := sign(hs256, claims(searchUID, all), secret)
	unsigned := good[:strings.LastIndexByte(good, '.')+1]
	token := func(rest string) string { return sign(hs256, claims(searchUID, rest), secret) }
	header := func(h string) string { return sign(h, claims(searchUID, all), secret) }
	raw := func(c string) string { return sign(hs256, c, secret) }
	const (
		refused = "The provided API key is invalid."
		decode  = "Could not decode tenant token, "
		variant = "JSON error: data did not match any variant of untagged enum SearchRules at line 1 column "
		names   = "expected one of `HS256`, `HS384`, `HS512`, `ES256`, `ES384`, `RS256`, `RS384`, `RS512`, `PS256`, `PS384`, `PS512`, `EdDSA`"
	)
	for _, tc := range []struct{ name, token, want string }{
		{"good", good, ""},
		{"good again, from memory", good, ""},
		{"HS384", header(`{"alg":"HS384","typ":"JWT"}`), ""},
		{"HS512", header(`{"alg":"HS512","typ":"JWT"}`), ""},
		{"no type", header(`{"alg":"HS256"}`), ""},
		{"a header of another's", header(`{"alg":"HS256","crit":["x"]}`), ""},
		{"alg none", unsignedWith(`{"alg":"none","typ":"JWT"}`, claims(searchUID, all)), decode + "JSON error: unknown variant `none`, " + names + " at line 1 column 13."},
		{"alg NONE", header(`{"alg":"NONE","typ":"JWT"}`), decode + "JSON error: unknown variant `NONE`, " + names + " at line 1 column 13."},
		{"alg in small letters", header(`{"alg":"hs256","typ":"JWT"}`), decode + "JSON error: unknown variant `hs256`, " + names + " at line 1 column 14."},
		{"alg RS256", header(`{"alg":"RS256","typ":"JWT"}`), decode + "InvalidAlgorithm."},
		{"alg ES256", header(`{"alg":"ES256","typ":"JWT"}`), decode + "InvalidAlgorithm."},
		{"no alg", header(`{"typ":"JWT"}`), decode + "JSON error: missing field `alg` at line 1 column 13."},
		{"a header that is no JSON", header(`hello`), decode + "JSON error: expected value at line 1 column 1."},
		{"a number for a type", header(`{"alg":"HS256","typ":5}`), decode + "JSON error: invalid type: integer `5`, expected a string at line 1 column 22."},
		{"two algs", header(`{"alg":"HS256","alg":"HS256"}`), decode + "JSON error: duplicate field `alg` at line 1 column 20."},
		{"another secret", sign(hs256, claims(searchUID, all), "nope"), decode + "InvalidSignature."},
		{"another secret, no rules", sign(hs256, claims(searchUID, ""), "nope"), decode + "JSON error: missing field `searchRules` at line 1 column 52."},
		{"no signature", unsigned, decode + "InvalidSignature."},
		{"the signature of another token", unsigned + good[strings.LastIndexByte(good, '.')+1:][:40], decode + "InvalidSignature."},
		{"no key of that uid", sign(hs256, claims(goneUID, all), Value(testMaster, goneUID)), refused},
		{"no key of that uid, another secret", sign(hs256, claims(goneUID, all), "x"), decode + "InvalidSignature."},
		{"no key of that uid, expired", sign(hs256, claims(goneUID, all+`,"exp":5`), Value(testMaster, goneUID)), "Tenant token expired. Was valid up to `5` and we're now `1795716000`."},
		{"a key that may not search", sign(hs256, claims(docsUID, all), Value(testMaster, docsUID)), refused},
		{"a uid in capitals", sign(hs256, claims(strings.ToUpper(searchUID), all), secret), ""},
		{"no uid", raw(`{"searchRules":["*"]}`), decode + "JSON error: missing field `apiKeyUid` at line 1 column 21."},
		{"a uid that is none", sign(hs256, claims("x", all), secret), decode + "JSON error: UUID parsing failed: invalid character: found `x` at 0 at line 1 column 16."},
		{"a short uid", sign(hs256, claims(searchUID[:35], all), secret), decode + "JSON error: UUID parsing failed: invalid group length in group 4: expected 12, found 11 at line 1 column 50."},
		{"a number for a uid", raw(`{"apiKeyUid":3,"searchRules":["*"]}`), decode + "JSON error: invalid type: integer `3`, expected a formatted UUID string at line 1 column 14."},
		{"rules null", token(`,"searchRules":null`), decode + variant + "71."},
		{"rules a number", token(`,"searchRules":1`), decode + variant + "68."},
		{"rules a text", token(`,"searchRules":"*"`), decode + variant + "70."},
		{"rules a list of numbers", token(`,"searchRules":[1]`), decode + variant + "70."},
		{"a rule that is a text", token(`,"searchRules":{"*":"x"}`), decode + variant + "76."},
		{"a rule that is null", token(`,"searchRules":{"*":null}`), ""},
		{"a rule that is empty", token(`,"searchRules":{"*":{}}`), ""},
		{"a rule with another member", token(`,"searchRules":{"*":{"x":1}}`), ""},
		{"a list without rules", token(`,"searchRules":[]`), "The provided tenant token cannot acces the index `movies`, allowed indexes are []."},
		{"no rules", token(`,"searchRules":{}`), "The provided tenant token cannot acces the index `movies`, allowed indexes are []."},
		{"rules for others", token(`,"searchRules":["oth*","b"]`), "The provided tenant token cannot acces the index `movies`, allowed indexes are [\"b\", \"oth*\"]."},
		{"expired", token(all + `,"exp":5`), "Tenant token expired. Was valid up to `5` and we're now `1795716000`."},
		{"this second", token(all + `,"exp":1795716000`), ""},
		{"never", token(all + `,"exp":null`), ""},
		{"long before", token(all + `,"exp":-5`), "Tenant token expired. Was valid up to `-5` and we're now `1795716000`."},
		{"half a second", token(all + `,"exp":5.5`), decode + "JSON error: invalid type: floating point `5.5`, expected i64 at line 1 column 81."},
		{"a text for a time", token(all + `,"exp":"5"`), decode + "JSON error: invalid type: string \"5\", expected i64 at line 1 column 81."},
		{"too late", token(all + `,"exp":9223372036854775808`), decode + "JSON error: invalid value: integer `9223372036854775808`, expected i64 at line 1 column 97."},
		{"not before", token(all + `,"nbf":99999999999`), ""},
		{"an audience", token(all + `,"aud":"x"`), decode + "InvalidAudience."},
		{"other claims", token(all + `,"extra":"x"`), ""},
		{"claims that are no JSON", raw("hello"), decode + "JSON error: expected value at line 1 column 1."},
		{"a claim twice", token(`,"searchRules":["*"],"searchRules":["b"]`), decode + "JSON error: duplicate field `searchRules` at line 1 column 85."},
		{"two parts", "a.b", refused},
		{"nothing in three parts", "..", decode + "JSON error: EOF while parsing a value at line 1 column 0."},
		{"letters in three parts", "a.b.c", decode + "Base64 error: Invalid input length: 1."},
		{"four parts", good + ".x", decode + "Base64 error: Invalid symbol 46, offset 36.."},
		{"no base64", "!!!.???.!!", decode + "Base64 error: Invalid symbol 33, offset 0.."},
		{"padding", good + "=", decode + "Base64 error: Invalid padding."},
		{"a key's value", secret, ""},
		{"a key's value in capitals", strings.ToUpper(secret), ""},
		{"a key's value and a space", " " + secret, refused},
		{"nothing", "", refused},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := outcome(ringOnce.Authorize(tc.token, "search", "movies", testNow)); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
	if got := outcome(ringOnce.Authorize(good, "documents.get", "movies", testNow)); got != refused {
		t.Errorf("a tenant reads documents: %s", got)
	}
	if got := outcome(ringOnce.Authorize(good, "search", "books", testNow)); got != "The API key used to generate this tenant token cannot acces the index `books`." {
		t.Errorf("another index: %s", got)
	}
}

var ringOnce = testRing()

func unsignedWith(header, claims string) string {
	text := sign(header, claims, "")
	return text[:strings.LastIndexByte(text, '.')+1]
}

func outcome(_ *Access, bad *api.Error) string {
	if bad == nil {
		return ""
	}
	return bad.Message
}

func TestATenantTokenEndsWithItsKey(t *testing.T) {
	r := testRing()
	token := sign(hs256, claims(searchUID, `,"searchRules":["*"]`), Value(testMaster, searchUID))
	if got := outcome(r.Authorize(token, "search", "movies", testNow)); got != "" {
		t.Fatal(got)
	}
	key, _ := r.Find(searchUID)
	if got := outcome(r.Without(key).Authorize(token, "search", "movies", testNow)); got != "The provided API key is invalid." {
		t.Errorf("after its key was deleted: %q", got)
	}
	ends := testNow.Add(time.Minute)
	short := *key
	short.ExpiresAt = &ends
	r = r.With(&short)
	if got := outcome(r.Authorize(token, "search", "movies", testNow)); got != "" {
		t.Error(got)
	}
	if got := outcome(r.Authorize(token, "search", "movies", ends)); got != "The provided API key is invalid." {
		t.Errorf("after its key expired: %q", got)
	}
}

func TestTheMemoryOfTenantsIsBounded(t *testing.T) {
	mem := &tenants{}
	for i := range 3*rememberedTenants + 1 {
		mem.put(digest{byte(i), byte(i >> 8)}, &tenant{})
		if len(mem.known) > rememberedTenants {
			t.Fatalf("%d tokens are remembered", len(mem.known))
		}
	}
}

func TestRulesOfATenant(t *testing.T) {
	rules := `,"searchRules":{"*":{"filter":"a = 1"},"mo*":{"filter":["b = 2",["c = 3","d = 4"]]},"movies":null,"mu":{"filter":5}}`
	a, bad := testRing().Authorize(sign(hs256, claims(searchUID, rules), Value(testMaster, searchUID)), "search", "", testNow)
	if bad != nil {
		t.Fatal(bad)
	}
	own := api.Value{Kind: api.String, Str: "x = 0"}
	for index, want := range map[string]string{"movies": `"x = 0"`, "more": `["x = 0","b = 2",["c = 3","d = 4"]]`, "mice": `["x = 0","a = 1"]`, "mu": `["x = 0",5]`} {
		if got := JoinFilters(&own, a.Filter(index)); got.String() != want {
			t.Errorf("%s: %s, want %s", index, got.String(), want)
		}
	}
	if got := JoinFilters(nil, a.Filter("mice")).String(); got != `"a = 1"` {
		t.Errorf("alone it is %s", got)
	}
	if a.Allows("books") || !a.Allows("more") {
		t.Error("a tenant reaches what its key reaches, and no more")
	}
}

func FuzzTenantTokens(f *testing.F) {
	r := testRing()
	secret := Value(testMaster, searchUID)
	f.Add(hs256, claims(searchUID, `,"searchRules":["*"]`), "x")
	f.Add(`{"alg":"none"}`, `{}`, "..")
	f.Fuzz(func(t *testing.T, header, body, token string) {
		for _, forged := range []string{token, sign(header, body, "not the secret"), unsignedWith(header, body)} {
			if a, bad := r.Authorize(forged, "search", "movies", testNow); bad == nil && !strings.EqualFold(forged, secret) {
				t.Fatalf("%q is let in as %s", forged, a.KeyUID())
			}
		}
		_, _ = r.Authorize(sign(header, body, secret), "search", "movies", testNow) // must not panic
	})
}
