#include "textflag.h"

// func distances512(dst *uint16, codes, question *uint64, n, words int)
// Needs AVX512F and AVX512_VPOPCNTDQ. One register holds a word of 8 vectors.
TEXT ·distances512(SB), NOSPLIT, $0-40
	MOVQ dst+0(FP), DI
	MOVQ codes+8(FP), SI
	MOVQ question+16(FP), DX
	MOVQ n+24(FP), CX
	MOVQ words+32(FP), R8
	CMPQ R8, $6
	JE   six

block:
	VPXORQ Z0, Z0, Z0
	MOVQ   DX, R9
	MOVQ   R8, R10

word:
	VPBROADCASTQ (R9), Z1
	VPXORQ       (SI), Z1, Z1
	VPOPCNTQ     Z1, Z1
	VPADDQ       Z1, Z0, Z0
	ADDQ         $8, R9
	ADDQ         $64, SI
	DECQ         R10
	JNZ          word
	VPMOVQW      Z0, (DI)
	ADDQ         $16, DI
	DECQ         CX
	JNZ          block
	VZEROUPPER
	RET

six: // 384 dimensions: the question stays in registers
	VPBROADCASTQ 0(DX), Z10
	VPBROADCASTQ 8(DX), Z11
	VPBROADCASTQ 16(DX), Z12
	VPBROADCASTQ 24(DX), Z13
	VPBROADCASTQ 32(DX), Z14
	VPBROADCASTQ 40(DX), Z15

six_block:
	PREFETCHT0 2048(SI)
	PREFETCHT0 2112(SI)
	PREFETCHT0 2176(SI)
	PREFETCHT0 2240(SI)
	PREFETCHT0 2304(SI)
	PREFETCHT0 2368(SI)
	VPXORQ   0(SI), Z10, Z0
	VPXORQ   64(SI), Z11, Z1
	VPXORQ   128(SI), Z12, Z2
	VPXORQ   192(SI), Z13, Z3
	VPXORQ   256(SI), Z14, Z4
	VPXORQ   320(SI), Z15, Z5
	VPOPCNTQ Z0, Z0
	VPOPCNTQ Z1, Z1
	VPOPCNTQ Z2, Z2
	VPOPCNTQ Z3, Z3
	VPOPCNTQ Z4, Z4
	VPOPCNTQ Z5, Z5
	VPADDQ   Z1, Z0, Z0
	VPADDQ   Z3, Z2, Z2
	VPADDQ   Z5, Z4, Z4
	VPADDQ   Z2, Z0, Z0
	VPADDQ   Z4, Z0, Z0
	VPMOVQW  Z0, (DI)
	ADDQ     $384, SI
	ADDQ     $16, DI
	DECQ     CX
	JNZ      six_block
	VZEROUPPER
	RET

// The number of bits in each nibble, for VPSHUFB.
DATA nibbles<>+0(SB)/8, $0x0302020102010100
DATA nibbles<>+8(SB)/8, $0x0403030203020201
DATA nibbles<>+16(SB)/8, $0x0302020102010100
DATA nibbles<>+24(SB)/8, $0x0403030203020201
GLOBL nibbles<>(SB), RODATA|NOPTR, $32

DATA low<>+0(SB)/8, $0x0f0f0f0f0f0f0f0f
DATA low<>+8(SB)/8, $0x0f0f0f0f0f0f0f0f
DATA low<>+16(SB)/8, $0x0f0f0f0f0f0f0f0f
DATA low<>+24(SB)/8, $0x0f0f0f0f0f0f0f0f
GLOBL low<>(SB), RODATA|NOPTR, $32

// func distances256(dst *uint16, codes, question *uint64, n, words int)
// Needs AVX2. A block is two registers; bits are counted by nibbles and summed
// per quadword with VPSADBW.
TEXT ·distances256(SB), NOSPLIT, $0-40
	MOVQ    dst+0(FP), DI
	MOVQ    codes+8(FP), SI
	MOVQ    question+16(FP), DX
	MOVQ    n+24(FP), CX
	MOVQ    words+32(FP), R8
	VMOVDQU nibbles<>(SB), Y15
	VMOVDQU low<>(SB), Y14
	VPXOR   Y13, Y13, Y13

block:
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1
	MOVQ  DX, R9
	MOVQ  R8, R10

word:
	VPBROADCASTQ (R9), Y2
	VPXOR        32(SI), Y2, Y3
	VPXOR        (SI), Y2, Y2
	VPSRLW       $4, Y2, Y4
	VPSRLW       $4, Y3, Y5
	VPAND        Y14, Y2, Y2
	VPAND        Y14, Y3, Y3
	VPAND        Y14, Y4, Y4
	VPAND        Y14, Y5, Y5
	VPSHUFB      Y2, Y15, Y2
	VPSHUFB      Y3, Y15, Y3
	VPSHUFB      Y4, Y15, Y4
	VPSHUFB      Y5, Y15, Y5
	VPADDB       Y4, Y2, Y2
	VPADDB       Y5, Y3, Y3
	VPSADBW      Y13, Y2, Y2
	VPSADBW      Y13, Y3, Y3
	VPADDQ       Y2, Y0, Y0
	VPADDQ       Y3, Y1, Y1
	ADDQ         $8, R9
	ADDQ         $64, SI
	DECQ         R10
	JNZ          word

	// Eight quadwords, each below 2^16, become eight words.
	VPACKUSDW    Y1, Y0, Y0
	VPERMQ       $0xd8, Y0, Y0
	VEXTRACTI128 $1, Y0, X1
	VPACKUSDW    X1, X0, X0
	VMOVDQU      X0, (DI)
	ADDQ         $16, DI
	DECQ         CX
	JNZ          block
	VZEROUPPER
	RET

// func dot256(v *int8, question *int16, n int) int32
// Needs AVX2. Sums of two products fit an int32 many times over.
TEXT ·dot256(SB), NOSPLIT, $0-28
	MOVQ  v+0(FP), SI
	MOVQ  question+8(FP), DX
	MOVQ  n+16(FP), CX
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1
	SUBQ  $32, CX
	JLT   rest

pair:
	VPMOVSXBW (SI), Y2
	VPMOVSXBW 16(SI), Y3
	VPMADDWD  (DX), Y2, Y2
	VPMADDWD  32(DX), Y3, Y3
	VPADDD    Y2, Y0, Y0
	VPADDD    Y3, Y1, Y1
	ADDQ      $32, SI
	ADDQ      $64, DX
	SUBQ      $32, CX
	JGE       pair

rest:
	ADDQ      $32, CX
	JZ        sum
	VPMOVSXBW (SI), Y2
	VPMADDWD  (DX), Y2, Y2
	VPADDD    Y2, Y0, Y0

sum:
	VPADDD       Y1, Y0, Y0
	VEXTRACTI128 $1, Y0, X1
	VPADDD       X1, X0, X0
	VPSHUFD      $0x4e, X0, X1
	VPADDD       X1, X0, X0
	VPSHUFD      $0xb1, X0, X1
	VPADDD       X1, X0, X0
	VMOVD        X0, AX
	MOVL         AX, ret+24(FP)
	VZEROUPPER
	RET

// func fetch(v *int8, n int)
// Asks the memory for n bytes that will be needed soon.
TEXT ·fetch(SB), NOSPLIT, $0-16
	MOVQ v+0(FP), SI
	MOVQ n+8(FP), CX

line:
	PREFETCHT0 (SI)
	ADDQ       $64, SI
	SUBQ       $64, CX
	JG         line
	RET
