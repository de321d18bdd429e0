package rawjson

// Remove appends obj to dst without the top-level members whose raw key drop reports true for. Commas stay right
// whichever members go; other bytes, white space included, are kept as they are. With a nil dst and nothing to drop,
// obj itself is returned (capped, so that appending to it copies). Text that is not an object is appended unchanged.
// Lax; allocates only to grow dst.
func Remove(dst, obj []byte, drop func(key []byte) bool) []byte {
	base := len(dst)
	from := 0 // first byte not yet copied
	kept := false
	leading := false // the first member went, so the first kept one must not bring its comma
	var m Members
	for m.Init(obj); ; {
		before := m.i
		if !m.Next() {
			break
		}
		if !drop(m.Key) {
			if leading && !kept {
				from = m.keyAt
			}
			kept = true
			continue
		}
		if kept {
			dst = append(dst, obj[from:before]...)
		} else if !leading {
			dst = append(dst, obj[:m.keyAt]...)
			leading = true
		}
		from = m.i
	}
	if m.Err != nil {
		return append(dst[:base], obj...)
	}
	if from == 0 && dst == nil {
		return obj[:len(obj):len(obj)]
	}
	return append(dst, obj[from:]...)
}

// AppendMembers appends obj to dst with members (ready text such as `"k":v,"k2":v2`) added before its closing brace.
// obj must be an object that is known to be well formed: only its ends are looked at. Empty members change nothing;
// text that does not end with a brace is appended unchanged.
func AppendMembers(dst, obj, members []byte) []byte {
	end, empty := ClosingBrace(obj)
	if end < 0 || len(members) == 0 {
		return append(dst, obj...)
	}
	dst = append(dst, obj[:end]...)
	if !empty {
		dst = append(dst, ',')
	}
	dst = append(dst, members...)
	return append(dst, obj[end:]...)
}

// ClosingBrace returns the index of the brace that closes obj, a well-formed object, and whether obj has no members;
// -1 if obj does not end with a brace. Only the end of obj is looked at.
func ClosingBrace(obj []byte) (end int, empty bool) {
	end = len(obj) - 1
	for end >= 0 && isSpace(obj[end]) {
		end--
	}
	if end < 1 || obj[end] != '}' {
		return -1, false
	}
	i := end - 1
	for i > 0 && isSpace(obj[i]) {
		i--
	}
	return end, obj[i] == '{'
}

// Set appends obj to dst with the top-level member name set to value (ready JSON text): the value of the last member of
// that name is replaced, or the member is added at the end. Text that is not an object is appended unchanged. Lax.
func Set(dst, obj []byte, name string, value []byte) []byte {
	from, to := -1, -1
	var m Members
	for m.Init(obj); m.Next(); {
		if KeyEquals(m.Key, name) {
			from, to = m.valueAt, m.i
		}
	}
	if m.Err != nil {
		return append(dst, obj...)
	}
	if from >= 0 {
		dst = append(dst, obj[:from]...)
		dst = append(dst, value...)
		return append(dst, obj[to:]...)
	}
	end, empty := ClosingBrace(obj)
	if end < 0 {
		return append(dst, obj...)
	}
	dst = append(dst, obj[:end]...)
	if !empty {
		dst = append(dst, ',')
	}
	dst = AppendString(dst, name)
	dst = append(dst, ':')
	dst = append(dst, value...)
	return append(dst, obj[end:]...)
}
