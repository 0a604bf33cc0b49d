"""What the rules say, in every language a report can be written in: what it is, and after the colon what to do."""

from __future__ import annotations

from collections.abc import Mapping

from pellucid._language import LANGUAGES

SENTENCES: dict[str, tuple[str, str]] = {
    "pictures-not-scaled": (
        "pictures hold values from {low} to {high}: divide them by 255, or give them as uint8, which is scaled for you",
        "이미지의 값이 {low}에서 {high}까지입니다: 255로 나누거나, 알아서 나누어 주는 uint8로 주십시오",
    ),
    "pictures-not-scaled.small": (
        "pictures reach the network as values from {low} to {high}, next to nothing: they may have been divided by 255 "
        "twice; give them as uint8, or as floats from 0 to 1",
        "신경망에 들어가는 이미지의 값이 {low}에서 {high}까지로 거의 0입니다: 255로 두 번 나누었을 수 있습니다. "
        "uint8이나 0에서 1 사이의 실수로 주십시오",
    ),
    "held-out-scale": (
        "held-out pictures hold values from {low} to {high}, training pictures from {train_low} to {train_high}: "
        "scale them alike, or give both as uint8, which is scaled for you",
        "따로 둔 이미지의 값은 {low}에서 {high}까지, 학습 이미지의 값은 {train_low}에서 {train_high}까지입니다: "
        "같은 방식으로 맞추거나, 알아서 나누어 주는 uint8로 둘 다 주십시오",
    ),
    "held-out-classes": (
        "{share} of the held-out pictures have classes without a training picture (label {label}): shuffle pictures "
        "and labels together before splitting",
        "따로 둔 이미지의 {share}는 학습 이미지가 없는 클래스(레이블 {label})의 것입니다: 나누기 전에 이미지와 "
        "레이블을 함께 섞으십시오",
    ),
    "held-out-classes.shares": (
        "label {label} is {own} of the training labels and {held} of the held-out ones, so the held-out loss measures "
        "that, too: split so that both have the same shares, or judge by the recall of each class",
        "레이블 {label}의 비율이 학습에서는 {own}, 따로 둔 것에서는 {held}이므로 따로 둔 이미지의 손실에 이 차이도 "
        "들어갑니다: 비율이 같도록 나누거나, 클래스별 재현율로 판단하십시오",
    ),
    "pictures-alike": (
        "all {count} training pictures are the same: there is nothing to tell apart; check how the pictures are read",
        "학습 이미지 {count}장이 모두 똑같습니다: 구별할 것이 없습니다. 이미지를 읽는 부분을 확인하십시오",
    ),
    "not-shuffled": (
        "the pictures come one class after another, and are not shuffled, so each batch undoes what the last ones "
        "taught: leave shuffle=False out, or shuffle pictures and labels together before",
        "이미지가 클래스별로 차례로 나오는데 섞지 않아, 배치마다 앞에서 배운 것을 지웁니다: shuffle=False를 빼거나, "
        "이미지와 레이블을 먼저 함께 섞으십시오",
    ),
    "targets-out-of-reach": (
        "targets go from {low} to {high}, but the network ends in {kind}, which gives {gives}: leave the last "
        "activation out, or bring the targets into that range",
        "목푯값은 {low}에서 {high}까지인데 신경망의 끝은 {kind}라서 낼 수 있는 값이 다릅니다({gives}): 마지막 "
        "활성화 함수를 빼거나 목푯값을 그 범위로 맞추십시오",
    ),
    "labels.constant": (
        "all {count} labels are {label}: there is nothing to tell apart; check how the labels are read",
        "레이블 {count}개가 모두 {label}입니다: 구별할 것이 없습니다. 레이블을 읽는 부분을 확인하십시오",
    ),
    "labels.from-one": (
        "no picture has label 0, the labels go from 1 to {last}: if they count from 1, subtract 1 and give the last "
        "layer {last} units",
        "레이블이 0인 이미지는 없고 1부터 {last}까지 있습니다: 1부터 센 레이블이라면 1을 빼고, "
        "마지막 계층의 유닛을 {last}개로 하십시오",
    ),
    "class-imbalance": (
        "class {common} has {many} pictures, class {rare} has {few}, so answering {common} always is right {share} of "
        'the time: use class_weight="balanced" (--class-weight balanced), and judge by the recall of each class',
        "클래스 {common}의 이미지는 {many}장, {rare}의 이미지는 {few}장이라 늘 {common}만 답해도 "
        '{share}가 맞습니다: class_weight="balanced"(--class-weight balanced)를 쓰고, 클래스별 재현율로 판단하십시오',
    ),
    "overlap": (
        "{count} of {total} held-out pictures ({share}) are training pictures too (held-out {held} is training "
        "{train}), so the result flatters: take duplicates out before splitting",
        "따로 둔 이미지 {total}장 중 {count}장({share})이 학습 이미지에도 있어서(따로 둔 {held} = 학습 {train}) "
        "성적이 부풀려집니다: 나누기 전에 중복을 없애십시오",
    ),
    "overlap.test": (
        "{count} of {total} test pictures ({share}) are training pictures too (test {held} is training {train}), so "
        "the result flatters: take duplicates out before splitting",
        "테스트 이미지 {total}장 중 {count}장({share})이 학습 이미지에도 있어서(테스트 {held} = 학습 {train}) "
        "성적이 부풀려집니다: 나누기 전에 중복을 없애십시오",
    ),
    "small-batch": (
        "batch norm in '{layer}' takes mean and variance from {size} pictures, which is mostly noise: use a batch size "
        "of 16 or more",
        "'{layer}'의 배치 정규화가 이미지 {size}장으로 평균과 분산을 구해 대부분 잡음입니다: 배치 크기를 16 이상으로 "
        "하십시오",
    ),
    "scores-squashed": (
        "'{layer}' ends in {kind}, but the loss takes its output for scores before {joint}: make the last activation "
        "{joint}, or leave it out",
        "'{layer}'의 끝은 {kind}인데 손실 함수는 그 출력을 {joint} 앞의 점수로 읽습니다: 마지막 활성화 함수를 "
        "{joint}로 바꾸거나 빼십시오",
    ),
    "scores-squashed.twice": (
        "{kind} is applied twice, by '{layer}' and once more behind it: leave it out of '{layer}'",
        "{kind}를 '{layer}'에서 한 번, 그 뒤에서 또 한 번 적용합니다: '{layer}'에서는 빼십시오",
    ),
    "dropout-high": (
        "dropout in '{layer}' takes {share} of {count} numbers away in training, which, with all dropout there is, "
        "leaves little but noise to learn from: use a smaller rate, in fewer places, or wider layers",
        "'{layer}'의 드롭아웃이 학습 중에 값 {count}개의 {share}를 없애, 다른 드롭아웃까지 더하면 배울 것이 거의 남지 "
        "않습니다: 비율을 낮추거나, 드롭아웃을 줄이거나, 계층을 넓히십시오",
    ),
    "equal-weights": (
        "all units of '{layer}' begin with the same weights, so all will learn the same: use a random "
        "kernel_initializer, such as he_normal",
        "'{layer}'의 유닛이 모두 같은 가중치로 시작해 모두 같은 것을 배웁니다: he_normal 같은 무작위 "
        "kernel_initializer를 쓰십시오",
    ),
    "equal-weights.zero": (
        "all weights of '{layer}' begin at 0, so its units will all learn the same or nothing: use a random "
        "kernel_initializer, such as he_normal",
        "'{layer}'의 가중치가 모두 0에서 시작해 유닛이 모두 같은 것을 배우거나 아무것도 못 배웁니다: he_normal 같은 "
        "무작위 kernel_initializer를 쓰십시오",
    ),
    "dead-relu": (
        "{share} of the units of '{layer}' are 0 for all {count} pictures looked at, and dead ReLUs no longer learn: "
        "use a smaller learning rate, the kernel_initializer he_normal, or leaky_relu",
        "살펴본 이미지 {count}장 모두에서 '{layer}' 유닛의 {share}가 0이며, 죽은 ReLU는 더 배우지 못합니다: 학습률을 "
        "낮추거나, kernel_initializer를 he_normal로 하거나, leaky_relu를 쓰십시오",
    ),
    "saturated.start": (
        "{share} of what '{layer}' gives lies on the flat ends of its curve before the first step, where gradients "
        "vanish: scale the pictures to 0 to 1, use the kernel_initializer glorot_uniform, or relu",
        "첫 스텝 전에 이미 '{layer}' 출력의 {share}가 기울기가 사라지는 곡선의 평평한 끝에 있습니다: "
        "이미지를 0에서 1로 맞추거나, kernel_initializer를 glorot_uniform으로 하거나, relu를 쓰십시오",
    ),
    "saturated": (
        "{share} of the units of '{layer}' lie on a flat end of their curve for all {count} pictures looked at, and no "
        "longer learn: use a smaller learning rate, batch norm before it, or relu",
        "살펴본 이미지 {count}장 모두에서 '{layer}' 유닛의 {share}가 곡선의 평평한 끝에 있어 더 배우지 못합니다: "
        "학습률을 낮추거나, 그 앞에 배치 정규화를 두거나, relu를 쓰십시오",
    ),
    "wide-range": (
        "{again} of {count} pictures reach '{layer}' with numbers so far beyond their others that they are computed "
        "twice, the second time exactly: clip or scale them (a logarithm, batch norm), or train with "
        "exact_convolution=True (--exact-convolution)",
        "이미지 {count}장 가운데 {again}장이 '{layer}'에 들어갈 때 다른 값보다 훨씬 큰 값이 있어 두 번"
        "(두 번째는 정확하게) 계산합니다: 값을 자르거나 줄이거나(로그, 배치 정규화), "
        "exact_convolution=True(--exact-convolution)로 학습하십시오",
    ),
    "not-a-number": (
        "training picture {picture} holds NaN or infinity: take it out, or mend how it is made",
        "학습 이미지 {picture}번에 NaN이나 무한대가 있습니다: 그 이미지를 빼거나, 만드는 과정을 고치십시오",
    ),
    "learning-rate-high": (
        "after {steps} steps the loss is {loss}, where it began at {first}: learning rate {rate} is too "
        "large; try {less}, or have one measured (--find-lr)",
        "처음 손실은 {first}, {steps}스텝 뒤에는 {loss}입니다: 학습률({rate})이 너무 큽니다. {less} 정도로 하거나 "
        "알맞은 값을 찾아보십시오(--find-lr)",
    ),
    "learning-rate-high.diverged": (
        "the loss left all bounds soon after step {steps}: learning rate {rate} is too large; try {less}, or clip "
        "gradients (clipnorm=1)",
        "{steps}스텝 무렵 손실이 한없이 커졌습니다: 학습률({rate})이 너무 큽니다. {less} 정도로 하거나 기울기를 "
        "클리핑하십시오(clipnorm=1)",
    ),
    "weights-large": (
        "the first loss is {first}, and answering all classes alike has {alike}: the weights begin much too large for "
        "these pictures, or were trained for other labels; use the kernel_initializer glorot_uniform or he_normal",
        "첫 손실이 {first}인데, 모든 클래스를 똑같이 답해도 {alike}입니다: 이 이미지에는 가중치가 너무 크게 "
        "시작하거나, 다른 레이블로 학습한 가중치입니다. kernel_initializer를 glorot_uniform이나 he_normal로 하십시오",
    ),
    "learning-rate-low.clipped": (
        "in {steps} steps no kernel has moved by more than {moved}, and the loss has not fallen: gradients are clipped "
        "to next to nothing ({clip}); clip at 1, or not at all",
        "{steps}스텝 동안 어떤 커널도 {moved} 넘게 움직이지 않았고 손실도 줄지 않았습니다: 기울기를 거의 0으로 "
        "클리핑합니다({clip}). 1에서 클리핑하거나 클리핑하지 마십시오",
    ),
    "learning-rate-low": (
        "in {steps} steps no kernel has moved by more than {moved}, and the loss has not fallen: learning rate {rate} "
        "is too small; try ten times as much, or a hundred",
        "{steps}스텝 동안 어떤 커널도 {moved} 넘게 움직이지 않았고 손실도 줄지 않았습니다: 학습률({rate})이 너무 "
        "작습니다. 열 배나 백 배로 해 보십시오",
    ),
    "stuck": (
        "after {steps} steps the loss is {loss}, and one answer for every picture has {chance}: see that labels belong "
        "to their pictures, then try a learning rate ten times smaller, or larger",
        "{steps}스텝 뒤 손실이 {loss}인데, 모든 이미지에 같은 답을 해도 {chance}입니다: 레이블이 이미지와 맞는지 "
        "확인하고, 학습률을 열 배 작게 또는 크게 해 보십시오",
    ),
    "stuck.sigmoid": (
        "after {steps} steps the loss is {loss}, and one answer for every picture has {chance}: sigmoids start slowly, "
        "so use Adam, a larger learning rate, or relu; and see that labels belong to their pictures",
        "{steps}스텝 뒤 손실이 {loss}인데, 모든 이미지에 같은 답을 해도 {chance}입니다: 시그모이드는 출발이 느리니 "
        "Adam이나 더 큰 학습률, relu를 쓰고, 레이블이 이미지와 맞는지도 확인하십시오",
    ),
    "stuck.penalty": (
        "after {steps} steps the loss is {loss}, and one answer for every picture has {chance}, while a kernel has "
        "only {share} of the length it began with: the weight penalty (kernel_regularizer, weight_decay) is too "
        "strong; try a hundredth",
        "{steps}스텝 뒤 손실이 {loss}인데, 모든 이미지에 같은 답을 해도 {chance}이고, 크기가 처음의 {share}로 줄어든 "
        "커널이 있습니다: 가중치 규제(kernel_regularizer, weight_decay)가 너무 셉니다. "
        "100분의 1로 해 보십시오",
    ),
    "stuck.slow": (
        "after {steps} steps the loss is {loss}, and one answer for every picture has {chance}, while no kernel has "
        "moved by more than {moved}: try a learning rate ten times larger than {rate} first; if it stays, see that "
        "labels belong to their pictures",
        "{steps}스텝 뒤 손실이 {loss}인데, 모든 이미지에 같은 답을 해도 {chance}이고, 어떤 커널도 {moved} 넘게 "
        "움직이지 않았습니다: 먼저 학습률을 {rate}의 열 배로 해 보고, 그래도 그대로면 "
        "레이블이 이미지와 맞는지 확인하십시오",
    ),
    "stuck.vanishing": (
        "after {steps} steps the loss is {loss}, and one answer for every picture has {chance}, while the first kernel "
        "has moved by {first} and the last one by {last}: gradients vanish on the way; use relu, batch norm, or fewer "
        "layers",
        "{steps}스텝 뒤 손실이 {loss}인데, 모든 이미지에 같은 답을 해도 {chance}이고, 첫 커널은 {first}, 마지막 커널은 "
        "{last} 움직였습니다: 기울기가 가는 길에 사라집니다. relu나 배치 정규화를 쓰거나 계층을 줄이십시오",
    ),
    "stuck.targets": (
        "after {steps} steps the loss is {loss}, and one answer for every picture has {chance}: targets from {low} to "
        "{high} are out of reach of such steps; scale them to about 1, or use a larger learning rate",
        "{steps}스텝 뒤 손실이 {loss}인데, 모든 이미지에 같은 답을 해도 {chance}입니다: {low}에서 {high}까지의 "
        "목푯값은 이런 스텝으로 닿지 않습니다. 1쯤으로 맞추거나 학습률을 높이십시오",
    ),
    "batch-norm-behind": (
        "in use, with batch norm's running mean and variance, training pictures themselves have loss {used}, in "
        "training {loss}: after {steps} steps {share} of these numbers is what they began with; train for more "
        "steps, in smaller batches, or with momentum=0.9 in BatchNorm",
        "배치 정규화의 이동 평균과 분산을 쓰는 실제 사용에서는 학습 이미지 자체의 손실이 {used}, 학습 중에는 "
        "{loss}입니다: {steps}스텝 뒤에도 그 값의 {share}가 처음 값 그대로입니다. 스텝을 늘리거나, 배치 크기를 "
        "줄이거나, BatchNorm에 momentum=0.9를 쓰십시오",
    ),
    "batch-norm-behind.restless": (
        "in use, with batch norm's running mean and variance, training pictures themselves have loss {used}, in "
        "training {loss}: the weights change faster than these numbers follow; use a smaller learning rate towards "
        "the end, larger batches, or momentum=0.9 in BatchNorm",
        "배치 정규화의 이동 평균과 분산을 쓰는 실제 사용에서는 학습 이미지 자체의 손실이 {used}, 학습 중에는 "
        "{loss}입니다: 가중치가 이 값들보다 빨리 바뀝니다. 끝으로 갈수록 학습률을 낮추거나, 배치 크기를 키우거나, "
        "BatchNorm에 momentum=0.9를 쓰십시오",
    ),
    "overfitting.never": (
        "the held-out loss was never clearly below {chance}, that of one answer for every picture (best {best}, now "
        "{now}), while the training loss fell to {loss}: what it learns does not hold there; see that the held-out "
        "pictures and labels are made like the training ones, and that labels belong to their pictures; if so, there "
        "are too few pictures",
        "따로 둔 이미지의 손실이 모든 이미지에 같은 답을 할 때의 {chance}보다 뚜렷하게 낮았던 적이 없는데(최저 {best}, "
        "지금 {now}) 학습 손실은 {loss}까지 내려갔습니다: 배운 것이 거기에는 맞지 않습니다. 따로 둔 이미지와 레이블을 "
        "학습용과 똑같이 만들었는지, 레이블이 이미지와 맞는지 확인하십시오. 맞다면 이미지가 너무 적습니다",
    ),
    "overfitting": (
        "the held-out loss was best in epoch {epoch} ({best}) and is now {now}, while the training loss fell to "
        "{loss}: it learns by heart; stop earlier (--patience 3), augment, or add dropout or pictures",
        "따로 둔 이미지의 손실이 {epoch}번째 에포크({best})에서 가장 낮았고 이제 {now}인데, 학습 손실은 {loss}까지 "
        "내려갔습니다: 외우고 있습니다. 일찍 멈추거나(--patience 3), 데이터를 증강하거나, "
        "드롭아웃이나 이미지를 더하십시오",
    ),
    "waiting": (
        "{share} of epoch {epoch} went by waiting for pictures: use smaller pictures (--size), less augmentation, or "
        "more room for the cache of decoded ones (PELLUCID_CACHE_BYTES)",
        "{epoch}번째 에포크의 {share}를 이미지를 기다리며 보냈습니다: 더 작은 이미지(--size)나 더 적은 증강을 쓰거나, "
        "읽어 둔 이미지의 캐시에 자리를 더 주십시오(PELLUCID_CACHE_BYTES)",
    ),
}


def sentence(key: str, values: Mapping[str, str], lang: str) -> str:
    """A rule's sentence with its numbers.

    >>> sentence("not-a-number", {"picture": "17"}, "en")
    'training picture 17 holds NaN or infinity: take it out, or mend how it is made'
    """
    return SENTENCES[key][LANGUAGES.index(lang)].format(**values)
