package extract

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"
)

// property is an entry of a stream of properties.
func property(id, typ uint16, value uint64) string {
	b := binary.LittleEndian.AppendUint16(nil, typ)
	b = binary.LittleEndian.AppendUint16(b, id)
	b = append(b, 6, 0, 0, 0)
	return string(binary.LittleEndian.AppendUint64(b, value))
}

const msgTime = 133485480000000000 // 2024-01-01 02:00 UTC

func TestMSG(t *testing.T) {
	t.Parallel()
	const embedded = "__attach_version1.0_#00000001/__substg1.0_3701000D/"
	golden(t, "harbour.msg", cfbOf(t,
		zipped{"__properties_version1.0", strings.Repeat("\x00", 32) + property(propSubmitTime, typeTime, msgTime) + property(propCodepage, typeInteger, 1251)},
		zipped{"__substg1.0_0037001F", utf16le("Berth 7 · ö")},
		zipped{"__substg1.0_0C1A001E", "\xcf\xb8\xf2\xf0"}, zipped{"__substg1.0_5D01001F", utf16le("peter@example.org")},
		zipped{"__substg1.0_0E04001F", utf16le("a@example.org; b@example.org\x00")},
		zipped{"__substg1.0_1000001F", utf16le("The berth is closed.\r\n" + strings.Repeat("Long enough for its own sectors. ", 100))},
		zipped{"__substg1.0_10130102", "<p>The other form</p>"},
		zipped{"__attach_version1.0_#00000000/__properties_version1.0", "12345678"},
		zipped{"__attach_version1.0_#00000000/__substg1.0_3707001F", utf16le("depths.csv")},
		zipped{"__attach_version1.0_#00000000/__substg1.0_37010102", "Berth,Depth\n7,9\n"},
		zipped{"__attach_version1.0_#00000001/__properties_version1.0", "12345678"},
		zipped{embedded + "__properties_version1.0", strings.Repeat("\x00", 24)},
		zipped{embedded + "__substg1.0_0037001F", utf16le("Inner")},
		zipped{embedded + "__substg1.0_10090102", msgRTF(t)},
		zipped{"__attach_version1.0_#00000002/__properties_version1.0", "12345678"},
		zipped{"__attach_version1.0_#00000002/__substg1.0_370E001F", utf16le("image/png")},
		zipped{"__attach_version1.0_#00000002/__substg1.0_3712001F", utf16le("logo@x")},
		zipped{"__attach_version1.0_#00000003/__properties_version1.0", "12345678"},
		zipped{"__attach_version1.0_#00000003/__substg1.0_3704001F", utf16le("tool.exe")},
		zipped{"__attach_version1.0_#00000003/__substg1.0_37010102", "\x7fELF\x00\x00"},
	))
}

// msgRTF is RTF as an independent implementation compresses it.
func msgRTF(tb testing.TB) string {
	b, err := hex.DecodeString(msgRTFHex)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

func TestUnpackRTF(t *testing.T) {
	t.Parallel()
	packed := []byte(msgRTF(t))
	got, err := unpackRTF(packed, 1<<20)
	if err != nil || !strings.HasSuffix(string(got), `Berth 7 is {\b closed} closed closed until May.\par }`) {
		t.Errorf("unpacked %q, %v", got, err)
	}
	binary.LittleEndian.PutUint32(packed[4:], 0xffffffff)
	if got, err := unpackRTF(packed, 10); err != nil || len(got) > 10 {
		t.Errorf("%d bytes came of 10 that are allowed, %v", len(got), err)
	}
	_, err = unpackRTF([]byte("short"), 10)
	fails(t, "broken", err)
}

func TestMSGBad(t *testing.T) {
	t.Parallel()
	_, err := extractBytes(t, "secret.docx", cfbOf(t, zipped{"EncryptedPackage", "x"}, zipped{"EncryptionInfo", "y"}))
	fails(t, "encrypted", err)
	content := cfbOf(t, zipped{"__properties_version1.0", strings.Repeat("\x00", 32)}, zipped{"__substg1.0_0037001F", utf16le("S")})
	_, err = extractBytes(t, "cut.msg", content[:700])
	fails(t, "broken", err)
	_, err = extractBytes(t, "none.msg", cfbOf(t, zipped{"other", "x"}))
	fails(t, "broken", err)
}

const msgRTFHex = "670000007f0000004c5a4675c9a70e2b03000a00726370673132350232034368746d6c31203b01f702a2200713028002912a5c030eb2019067363420" +
	"3c70083e7d42049074682037462004000f016220630900736d09807d127512f675023003114d2861792e0aa37d14e0"
