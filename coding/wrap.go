package coding

import (
	"encoding/binary"
	"hash/adler32"
	"hash/crc32"
)

// The three codings know how to carry bytes as they are, up to 64 KiB of them at a
// time. That costs a copy and a checksum.

func wrapGzip(body []byte) []byte {
	const deflated, unknownSystem = 8, 255
	out := append(make([]byte, 0, len(body)+23), 0x1f, 0x8b, deflated, 0, 0, 0, 0, 0, 0, unknownSystem)
	out = appendStored(out, body)
	out = binary.LittleEndian.AppendUint32(out, crc32.ChecksumIEEE(body))
	return binary.LittleEndian.AppendUint32(out, uint32(len(body))) //nolint:gosec // at most 64 KiB
}

func wrapZlib(body []byte) []byte {
	out := append(make([]byte, 0, len(body)+11), 0x78, 0x01)
	return binary.BigEndian.AppendUint32(appendStored(out, body), adler32.Checksum(body))
}

// appendStored appends body as the last block of a deflate stream, see RFC 1951,
// section 3.2.4.
func appendStored(out, body []byte) []byte {
	size := uint16(len(body)) //nolint:gosec // at most 64 KiB
	out = binary.LittleEndian.AppendUint16(append(out, 1), size)
	out = binary.LittleEndian.AppendUint16(out, ^size)
	return append(out, body...)
}

// wrapBrotli writes one uncompressed block and an empty last one, see RFC 7932,
// section 9: a window of 16 bits (0), not the last block (0), its size less one in
// 16 bits (00 and the size), and uncompressed (1).
func wrapBrotli(body []byte) []byte {
	head := uint32(len(body)-1)<<4 | 1<<20 //nolint:gosec // at most 64 KiB
	out := append(make([]byte, 0, len(body)+4), byte(head), byte(head>>8), byte(head>>16))
	const lastAndEmpty = 3
	return append(append(out, body...), lastAndEmpty)
}
