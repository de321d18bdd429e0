package engine

import (
	"context"
	"testing"
)

func movies(b testing.TB) *Index {
	b.Helper()
	s := DefaultSettings()
	s.SearchableAttributes = []string{"title", "overview", "cast", "genres"}
	s.FilterableAttributes = []FilterableRule{PlainFilterable("genres"), PlainFilterable("year"), PlainFilterable("cast")}
	s.SortableAttributes = []string{"year"}
	x := New(s)
	if _, err := x.Apply(putAll(b, loadData(b, "movies"), "id")); err != nil {
		b.Fatal(err)
	}
	return x
}

func BenchmarkSearch(b *testing.B) {
	x := movies(b)
	for _, text := range []string{"star", "t", "the", "the lord of the rings", "humphry bogart casablnca", "star wars", ""} {
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := x.Search(context.Background(), NewQuery(text)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("facets", func(b *testing.B) {
		q := NewQuery("star")
		q.Facets = []string{"genres", "year", "cast"}
		for b.Loop() {
			if _, err := x.Search(context.Background(), q); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("sort and filter", func(b *testing.B) {
		q := NewQuery("love")
		q.Sort, q.Filter = []string{"year:desc"}, "genres = Drama AND year > 1950"
		for b.Loop() {
			if _, err := x.Search(context.Background(), q); err != nil {
				b.Fatal(err)
			}
		}
	})
}
