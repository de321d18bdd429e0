package rawjson

import (
	"encoding/json"
	"strings"
	"testing"
)

// sample is text like a page of search results: short members, some long texts, some that are not ASCII.
func sample(n int) []byte {
	doc := `{"id":12345,"title":"The Quick Brown Fox","overview":"` + strings.Repeat("A fairly long text with some words. ", 15) +
		`","genres":["Drama","Comedy"],"rating":7.25,"release_date":1234567890,"poster":"https://image.example.org/a/b.jpg",` +
		`"original":"Le renard brun, très rapide","adult":false,"_rankingScore":0.9848484848484849,` +
		`"more":{"a":[1,2,3],"b":null,"c":"say \"hi\""}}`
	return []byte("[" + strings.TrimSuffix(strings.Repeat(doc+",", n), ",") + "]")
}

func BenchmarkScan(b *testing.B) {
	data := sample(1000)
	run := func(name string, fn func()) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				fn()
			}
		})
	}
	run("strict", func() {
		if Validate(data) != nil {
			b.Fatal("invalid")
		}
	})
	run("lax", func() {
		if end, _ := SkipValue(data, 0); end != len(data) {
			b.Fatal("wrong end")
		}
	})
	run("members of elements", func() {
		n := 0
		_ = EachElement(data, func(v []byte) bool {
			_ = EachMember(v, func(_, _ []byte) bool { n++; return true })
			return true
		})
	})
	run("encoding/json.Valid", func() {
		if !json.Valid(data) {
			b.Fatal("invalid")
		}
	})
}
