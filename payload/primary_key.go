package payload

import (
	"fmt"
	"slices"
	"strings"

	"github.com/miroir-search/miroir/rawjson"
)

// maxIDLen is the longest id in bytes that Meilisearch takes.
const maxIDLen = 511

// InferPrimaryKey chooses the primary key from doc, the first document of a payload, by Meilisearch's rule: the one
// top-level field whose name ends with "id", whatever its case. Errors are *NoCandidateError and
// *MultipleCandidatesError. doc must be a document of a Batch or otherwise known to be valid. A payload without
// documents needs no primary key and is no error.
func InferPrimaryKey(doc []byte) (string, error) {
	var names []string
	var m rawjson.Members
	for m.Init(doc); m.Next(); {
		name, err := rawjson.Unquote(m.Key)
		if err != nil {
			return "", fmt.Errorf("read a field name: %w", err)
		}
		if n := len(name) - 2; n >= 0 && strings.EqualFold(name[n:], "id") {
			names = append(names, name)
		}
	}
	if m.Err != nil {
		return "", fmt.Errorf("read the first document: %w", m.Err)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	switch len(names) {
	case 0:
		return "", &NoCandidateError{}
	case 1:
		return names[0], nil
	}
	return "", &MultipleCandidatesError{Candidates: names}
}

// ResolveIDs finds and checks the id of every document. The first document in payload order that has none, has several
// or has a bad one decides the error, an *Error with code missing_document_id or invalid_document_id; a node would fail
// the whole task with it. pk may be a path (a.b), which matches nested objects as well as a literal dotted name.
//
// A JSON or CSV document whose primary key occurs twice is rewritten without duplicates, as a node does; in NDJSON that
// is an error, as it is there.
func (b *Batch) ResolveIDs(pk string) error {
	if pk != b.pk {
		b.pk, b.resolved, b.idErr = pk, 0, nil
		for i := range b.docs {
			b.docs[i].idLen = 0
		}
	}
	if !b.spooled || b.idErr != nil || b.resolved == len(b.docs) {
		b.resolveRest(pk)
		return b.idErr
	}
	if err := b.mapped(func() { b.resolveRest(pk) }); err != nil {
		return err
	}
	return b.idErr
}

func (b *Batch) resolveRest(pk string) {
	for b.idErr == nil && b.resolved < len(b.docs) {
		if b.idErr = b.resolve(b.resolved, pk); b.idErr == nil {
			if e := &b.docs[b.resolved]; e.flags&docInArena == 0 {
				b.progress(int(e.start))
			}
			b.resolved++
		}
	}
}

// isFlat reports whether pk names a top-level field.
func isFlat(pk string) bool { return strings.IndexByte(pk, '.') < 0 }

// noteID checks the value in data[start:end] and keeps it as the id of document n if that needs no more than pointing
// to it. false leaves everything to resolve.
func (b *Batch) noteID(n, start, end int) bool {
	if b.data[start] == '"' {
		start++
		end--
		if !validID(b.data[start:end]) {
			return false
		}
	} else if c := b.data[start]; c != '-' && c-'0' > 9 || !isInteger(b.data[start:end]) {
		return false
	}
	e := &b.docs[n]
	if b.spooled { // the id must stay
		e.flags |= idInArena
		e.id, e.idLen = uint32(len(b.arena)), uint16(end-start)
		b.arena = append(b.arena, b.data[start:end]...)
		return true
	}
	e.id, e.idLen = uint32(start), uint16(end-start)
	return true
}

// ValidID reports whether a document may have this id; of others there is none.
func ValidID(id []byte) bool { return validID(id) }

// validID reports whether s may be a string id.
func validID(s []byte) bool {
	if len(s) == 0 || len(s) > maxIDLen {
		return false
	}
	for _, c := range s {
		if !idByte[c] {
			return false
		}
	}
	return true
}

var idByte = func() (t [256]bool) {
	for _, c := range "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_" {
		t[c] = true
	}
	return t
}()

// resolve finds the id of document n the careful way.
func (b *Batch) resolve(n int, pk string) error {
	if b.format != NDJSON && b.repeatsKey(n, pk) {
		e := &b.docs[n]
		start := len(b.arena)
		b.arena = appendUnique(b.arena, b.Doc(n))
		e.start, e.end = uint32(start), uint32(len(b.arena))
		e.flags |= docInArena
	}
	doc := b.Doc(n)
	r := idReader{}
	r.object(doc, pk)
	switch {
	case r.invalid != nil:
		return invalidID(r.invalid)
	case r.tooMany:
		return &Error{Code: CodeInvalidDocumentID, Message: fmt.Sprintf(
			"Document have too many matching `%s` attribute: `%s`.", pk, appendNormal(nil, doc))}
	case r.found == nil:
		return &Error{Code: CodeMissingDocumentID, Message: fmt.Sprintf(
			"Document doesn't have a `%s` attribute: `%s`.", pk, appendNormal(nil, doc))}
	}
	e := &b.docs[n]
	e.flags |= idInArena
	e.id, e.idLen = uint32(len(b.arena)), uint16(len(r.found))
	b.arena = append(b.arena, r.found...)
	return nil
}

// repeatsKey reports whether a top-level name that pk may begin with occurs twice in document n.
func (b *Batch) repeatsKey(n int, pk string) bool {
	seen := 0
	var names [8]string
	var m rawjson.Members
	for m.Init(b.Doc(n)); m.Next(); {
		name, _, ok := component(m.Key, pk)
		if !ok {
			continue
		}
		if slices.Contains(names[:seen], name) {
			return true
		}
		if seen < len(names) {
			names[seen] = name
			seen++
		}
	}
	return false
}

func invalidID(value []byte) error {
	return &Error{Code: CodeInvalidDocumentID, Message: fmt.Sprintf("Document identifier `%s` is invalid. "+
		"A document identifier can be of type integer or string, only composed of alphanumeric characters "+
		"(a-z A-Z 0-9), hyphens (-) and underscores (_), and can not be more than 511 bytes.", appendNormal(nil, value))}
}

// component matches a raw key with the beginnings of path that end at a dot or at the end of path, and returns the
// matched name and what is left of the path behind the dot.
func component(rawKey []byte, path string) (name, rest string, ok bool) {
	if path == "" {
		return "", "", false
	}
	for at := 0; ; {
		n := strings.IndexByte(path[at:], '.')
		if n < 0 {
			return path, "", rawjson.KeyEquals(rawKey, path)
		}
		at += n
		// An empty name never matches: a path that starts with a dot has no first level.
		if at > 0 && rawjson.KeyEquals(rawKey, path[:at]) {
			return path[:at], path[at+1:], true
		}
		at++
	}
}

// idReader follows a primary key path through a document. After the first error nothing more is looked at.
type idReader struct {
	found   []byte // the stringified id
	invalid []byte // text of a value that cannot be an id
	tooMany bool
}

// object looks at the members of obj; path is what is left of the primary key.
func (r *idReader) object(obj []byte, path string) {
	var m rawjson.Members
	for m.Init(obj); m.Next(); {
		_, rest, ok := component(m.Key, path)
		if !ok {
			continue
		}
		if rest != "" {
			if m.Value[0] != '{' {
				continue // a path may lead nowhere; that is not an error by itself
			}
			inner := idReader{}
			inner.object(m.Value, rest)
			r.take(&inner)
		} else {
			inner := idReader{}
			inner.value(m.Value)
			r.take(&inner)
		}
		if r.invalid != nil || r.tooMany {
			return
		}
	}
}

// take adds what another reader found.
func (r *idReader) take(inner *idReader) {
	r.invalid, r.tooMany = inner.invalid, inner.tooMany
	if inner.found == nil {
		return
	}
	if r.found != nil {
		r.tooMany = true
	}
	r.found = inner.found
}

// value reads the id itself.
func (r *idReader) value(v []byte) {
	switch c := v[0]; {
	case c == '"':
		s, err := rawjson.AppendUnquoted(nil, v)
		if err == nil && validID(s) {
			r.found = s
			return
		}
	case (c == '-' || c-'0' <= 9) && isInteger(v):
		r.found = v
		return
	}
	r.invalid = v
}
