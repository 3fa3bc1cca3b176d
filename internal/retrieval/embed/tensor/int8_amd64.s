#include "textflag.h"

// Products of 8 bits, gathered in 32.

// The numbers of a row are unsigned, 128 for zero; what that adds is taken off
// beforehand by the corrections of the columns.
#define ROW8(mem, lo, hi) \
	VPBROADCASTD mem, Z2    \
	VPDPBUSD     Z0, Z2, lo \
	VPDPBUSD     Z1, Z2, hi

// Z0, Z1 are the sizes of the columns' steps, Z3, Z4 the biases.
#define OUT8(size, lo, hi, mem, mem64) \
	VBROADCASTSS size, Z2      \
	VCVTDQ2PS    lo, lo        \
	VCVTDQ2PS    hi, hi        \
	VMULPS       Z0, Z2, Z5    \
	VMULPS       Z1, Z2, Z6    \
	VFMADD213PS  Z3, Z5, lo    \
	VFMADD213PS  Z4, Z6, hi    \
	VMOVUPS      lo, mem       \
	VMOVUPS      hi, mem64

// func tile8vnni(c *float32, ldc int, a *uint8, lda int, panel *int8, quads int, scales *float32, cols *uint32)
// 12 rows by 32 columns, as tile512.
TEXT ·tile8vnni(SB), NOSPLIT, $0-64
	MOVQ c+0(FP), DI
	MOVQ ldc+8(FP), R8
	MOVQ a+16(FP), SI
	MOVQ lda+24(FP), R9
	MOVQ panel+32(FP), DX
	MOVQ quads+40(FP), CX
	MOVQ scales+48(FP), AX
	MOVQ cols+56(FP), BX
	SHLQ $2, R8
	LEAQ (R9)(R9*2), R12
	LEAQ (SI)(R9*4), R10
	LEAQ (R10)(R9*4), R11

	VMOVDQU32 (BX), Z8
	VMOVDQU32 64(BX), Z9
	VMOVDQA32 Z8, Z10
	VMOVDQA32 Z9, Z11
	VMOVDQA32 Z8, Z12
	VMOVDQA32 Z9, Z13
	VMOVDQA32 Z8, Z14
	VMOVDQA32 Z9, Z15
	VMOVDQA32 Z8, Z16
	VMOVDQA32 Z9, Z17
	VMOVDQA32 Z8, Z18
	VMOVDQA32 Z9, Z19
	VMOVDQA32 Z8, Z20
	VMOVDQA32 Z9, Z21
	VMOVDQA32 Z8, Z22
	VMOVDQA32 Z9, Z23
	VMOVDQA32 Z8, Z24
	VMOVDQA32 Z9, Z25
	VMOVDQA32 Z8, Z26
	VMOVDQA32 Z9, Z27
	VMOVDQA32 Z8, Z28
	VMOVDQA32 Z9, Z29
	VMOVDQA32 Z8, Z30
	VMOVDQA32 Z9, Z31

vnni:
	VMOVDQU32 (DX), Z0
	VMOVDQU32 64(DX), Z1
	ROW8((SI), Z8, Z9)
	ROW8((SI)(R9*1), Z10, Z11)
	ROW8((SI)(R9*2), Z12, Z13)
	ROW8((SI)(R12*1), Z14, Z15)
	ROW8((R10), Z16, Z17)
	ROW8((R10)(R9*1), Z18, Z19)
	ROW8((R10)(R9*2), Z20, Z21)
	ROW8((R10)(R12*1), Z22, Z23)
	ROW8((R11), Z24, Z25)
	ROW8((R11)(R9*1), Z26, Z27)
	ROW8((R11)(R9*2), Z28, Z29)
	ROW8((R11)(R12*1), Z30, Z31)
	ADDQ $128, DX
	ADDQ $4, SI
	ADDQ $4, R10
	ADDQ $4, R11
	DECQ CX
	JNZ  vnni

	VMOVUPS 128(BX), Z0
	VMOVUPS 192(BX), Z1
	VMOVUPS 256(BX), Z3
	VMOVUPS 320(BX), Z4
	LEAQ (R8)(R8*2), R12
	OUT8((AX), Z8, Z9, (DI), 64(DI))
	OUT8(4(AX), Z10, Z11, (DI)(R8*1), 64(DI)(R8*1))
	OUT8(8(AX), Z12, Z13, (DI)(R8*2), 64(DI)(R8*2))
	OUT8(12(AX), Z14, Z15, (DI)(R12*1), 64(DI)(R12*1))
	LEAQ (DI)(R8*4), DI
	OUT8(16(AX), Z16, Z17, (DI), 64(DI))
	OUT8(20(AX), Z18, Z19, (DI)(R8*1), 64(DI)(R8*1))
	OUT8(24(AX), Z20, Z21, (DI)(R8*2), 64(DI)(R8*2))
	OUT8(28(AX), Z22, Z23, (DI)(R12*1), 64(DI)(R12*1))
	LEAQ (DI)(R8*4), DI
	OUT8(32(AX), Z24, Z25, (DI), 64(DI))
	OUT8(36(AX), Z26, Z27, (DI)(R8*1), 64(DI)(R8*1))
	OUT8(40(AX), Z28, Z29, (DI)(R8*2), 64(DI)(R8*2))
	OUT8(44(AX), Z30, Z31, (DI)(R12*1), 64(DI)(R12*1))
	VZEROUPPER
	RET

// The magnitude of the row is multiplied with the weight under the row's sign:
// 2·127·127 fits into 16 bits, so nothing saturates.
#define ROW8AVX(mem, lo, hi) \
	VPBROADCASTD mem, Y2    \
	VPABSB       Y2, Y3     \
	VPSIGNB      Y2, Y0, Y4 \
	VPSIGNB      Y2, Y1, Y5 \
	VPMADDUBSW   Y4, Y3, Y4 \
	VPMADDUBSW   Y5, Y3, Y5 \
	VPMADDWD     Y7, Y4, Y4 \
	VPMADDWD     Y7, Y5, Y5 \
	VPADDD       Y4, lo, lo \
	VPADDD       Y5, hi, hi

#define OUT8AVX(size, lo, hi, mem, mem32) \
	VBROADCASTSS size, Y2        \
	VCVTDQ2PS    lo, lo          \
	VCVTDQ2PS    hi, hi          \
	VMULPS       Y0, Y2, Y5      \
	VMULPS       Y1, Y2, Y6      \
	VFMADD213PS  Y3, Y5, lo      \
	VFMADD213PS  Y4, Y6, hi      \
	VMOVUPS      lo, mem         \
	VMOVUPS      hi, mem32

// func tile8avx2(c *float32, ldc int, a *uint8, lda int, panel *int8, quads int, scales *float32, cols *uint32)
// 4 rows by 16 columns; rows are signed.
TEXT ·tile8avx2(SB), NOSPLIT, $0-64
	MOVQ c+0(FP), DI
	MOVQ ldc+8(FP), R8
	MOVQ a+16(FP), SI
	MOVQ lda+24(FP), R9
	MOVQ panel+32(FP), DX
	MOVQ quads+40(FP), CX
	MOVQ scales+48(FP), AX
	MOVQ cols+56(FP), BX
	SHLQ $2, R8
	LEAQ (R9)(R9*2), R12
	VPCMPEQW Y7, Y7, Y7
	VPSRLW   $15, Y7, Y7 // ones
	VPXOR    Y8, Y8, Y8
	VMOVDQA  Y8, Y9
	VMOVDQA  Y8, Y10
	VMOVDQA  Y8, Y11
	VMOVDQA  Y8, Y12
	VMOVDQA  Y8, Y13
	VMOVDQA  Y8, Y14
	VMOVDQA  Y8, Y15

madd:
	VMOVDQU (DX), Y0
	VMOVDQU 32(DX), Y1
	ROW8AVX((SI), Y8, Y9)
	ROW8AVX((SI)(R9*1), Y10, Y11)
	ROW8AVX((SI)(R9*2), Y12, Y13)
	ROW8AVX((SI)(R12*1), Y14, Y15)
	ADDQ $64, DX
	ADDQ $4, SI
	DECQ CX
	JNZ  madd

	VMOVUPS 64(BX), Y0
	VMOVUPS 96(BX), Y1
	VMOVUPS 128(BX), Y3
	VMOVUPS 160(BX), Y4
	LEAQ (R8)(R8*2), R12
	OUT8AVX((AX), Y8, Y9, (DI), 32(DI))
	OUT8AVX(4(AX), Y10, Y11, (DI)(R8*1), 32(DI)(R8*1))
	OUT8AVX(8(AX), Y12, Y13, (DI)(R8*2), 32(DI)(R8*2))
	OUT8AVX(12(AX), Y14, Y15, (DI)(R12*1), 32(DI)(R12*1))
	VZEROUPPER
	RET

// func max256(x *float32, n int) float32, n a multiple of 32
TEXT ·max256(SB), NOSPLIT, $0-20
	MOVQ x+0(FP), SI
	MOVQ n+8(FP), CX
	VPCMPEQD Y7, Y7, Y7
	VPSRLD   $1, Y7, Y7 // all but the sign
	VPXOR    Y4, Y4, Y4
	VMOVAPS  Y4, Y5

maxloop:
	VANDPS (SI), Y7, Y0
	VANDPS 32(SI), Y7, Y1
	VANDPS 64(SI), Y7, Y2
	VANDPS 96(SI), Y7, Y3
	VMAXPS Y0, Y4, Y4
	VMAXPS Y1, Y5, Y5
	VMAXPS Y2, Y4, Y4
	VMAXPS Y3, Y5, Y5
	ADDQ $128, SI
	SUBQ $32, CX
	JNZ  maxloop
	VMAXPS Y5, Y4, Y4
	VEXTRACTF128 $1, Y4, X5
	VMAXPS X5, X4, X4
	VSHUFPS $0x4e, X4, X4, X5
	VMAXPS X5, X4, X4
	VSHUFPS $0xb1, X4, X4, X5
	VMAXPS X5, X4, X4
	VMOVSS X4, ret+16(FP)
	VZEROUPPER
	RET

DATA order<>+0(SB)/4, $0
DATA order<>+4(SB)/4, $4
DATA order<>+8(SB)/4, $1
DATA order<>+12(SB)/4, $5
DATA order<>+16(SB)/4, $2
DATA order<>+20(SB)/4, $6
DATA order<>+24(SB)/4, $3
DATA order<>+28(SB)/4, $7
GLOBL order<>(SB), RODATA|NOPTR, $32

#define ROUND8 \
	MOVQ dst+0(FP), DI          \
	MOVQ x+8(FP), SI            \
	MOVQ n+16(FP), CX           \
	VBROADCASTSS by+24(FP), Y6  \
	VMOVDQU order<>(SB), Y7

// Four registers become one of 32 bytes, in order.
#define PACK8 \
	VMULPS    (SI), Y6, Y0   \
	VMULPS    32(SI), Y6, Y1 \
	VMULPS    64(SI), Y6, Y2 \
	VMULPS    96(SI), Y6, Y3 \
	VCVTPS2DQ Y0, Y0         \
	VCVTPS2DQ Y1, Y1         \
	VCVTPS2DQ Y2, Y2         \
	VCVTPS2DQ Y3, Y3         \
	VPACKSSDW Y1, Y0, Y0     \
	VPACKSSDW Y3, Y2, Y2     \
	VPACKSSWB Y2, Y0, Y0     \
	VPERMD    Y0, Y7, Y0

// func rowSigned(dst *uint8, x *float32, n int, by float32), n a multiple of 32
TEXT ·rowSigned(SB), NOSPLIT, $0-28
	ROUND8
signed:
	PACK8
	VMOVDQU Y0, (DI)
	ADDQ $32, DI
	ADDQ $128, SI
	SUBQ $32, CX
	JNZ  signed
	VZEROUPPER
	RET

// func rowUnsigned(dst *uint8, x *float32, n int, by float32), n a multiple of 32
TEXT ·rowUnsigned(SB), NOSPLIT, $0-28
	ROUND8
	VPCMPEQB Y5, Y5, Y5
	VPSLLW   $7, Y5, Y5
	VPACKSSWB Y5, Y5, Y5 // 0x80 in each byte: −128 saturates to it
unsigned:
	PACK8
	VPXOR   Y5, Y0, Y0 // adds 128
	VMOVDQU Y0, (DI)
	ADDQ $32, DI
	ADDQ $128, SI
	SUBQ $32, CX
	JNZ  unsigned
	VZEROUPPER
	RET
