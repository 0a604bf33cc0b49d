// The page's words, in English and Korean; and numbers as people write them.

const WORDS = {
  skip: ["Skip to the content", "본문으로 건너뛰기"],
  lab: ["lab", "랩"],
  areas: ["Areas of the page", "페이지의 영역"],
  "area.train": ["Train", "학습"],
  "area.draw": ["Draw", "그리기"],
  "area.network": ["Network", "네트워크"],
  "area.filters": ["Filters", "필터"],
  "area.lessons": ["Lessons", "수업"],
  theme: ["Theme", "테마"],
  "theme.auto": ["Auto", "자동"],
  "theme.light": ["Light", "밝게"],
  "theme.dark": ["Dark", "어둡게"],
  "theme.projector": ["Projector", "프로젝터"],
  language: ["Language", "언어"],
  training: ["Training", "학습"],
  connecting: ["connecting …", "연결하는 중 …"],
  lost: ["connection lost; trying again …", "연결이 끊겼습니다. 다시 연결하는 중 …"],
  looking: ["looking only", "보기 전용"],
  start: ["Start", "시작"],
  pause: ["Pause", "일시 정지"],
  step: ["One step", "한 스텝"],
  picture: ["One picture", "이미지 한 장"],
  restart: ["Back to the beginning", "처음으로"],
  "count.step": ["step", "스텝"],
  "count.epoch": ["epoch", "에포크"],
  "count.speed": ["images/s", "장/초"],
  loss: ["loss", "손실"],
  accuracy: ["accuracy", "정확도"],
  "test.accuracy": ["test accuracy", "테스트 정확도"],
  network: ["Network", "네트워크"],
  layer: ["Layer", "계층"],
  arithmetic: ["One number, taken apart", "숫자 하나의 계산 과정"],
  learning: ["Learning", "학습 곡선"],
  predictions: ["Test pictures", "테스트 이미지"],
  confusion: ["Confusion matrix", "혼동 행렬"],
  settings: ["Settings", "설정"],
  doctor: ["Doctor", "학습 의사"],
  "doctor.well": ["Nothing to complain of so far.", "지금까지는 문제가 없습니다."],
  "subject": ["{model} · {data} · {count} parameters", "{model} · {data} · 매개변수 {count}개"],
  "test.picture": ["Test picture", "테스트 이미지"],
  "previous": ["Previous picture", "이전 이미지"],
  "next": ["Next picture", "다음 이미지"],
  "is": ["is {label}", "정답 {label}"],
  optimizer: ["Optimizer", "옵티마이저"],
  "learning_rate": ["Learning rate", "학습률"],
  momentum: ["Momentum", "모멘텀"],
  "weight_decay": ["Weight decay", "가중치 감쇠"],
  dropout: ["Dropout", "드롭아웃"],
  "batch_size": ["Batch size", "배치 크기"],
  "loss.function": ["Loss", "손실 함수"],
  augment: ["Augmentation", "데이터 증강"],
  seed: ["Seed", "시드"],
  "seed.note": ["another seed begins anew", "시드를 바꾸면 처음부터 시작합니다"],
  maps: ["Maps", "특징 맵"],
  "map_gradients": ["Gradients of maps", "맵의 기울기"],
  weights: ["Weights", "가중치"],
  "weight_gradients": ["Gradients of weights", "가중치의 기울기"],
  histograms: ["Histograms", "히스토그램"],
  "hist.weights": ["weights", "가중치"],
  "hist.activations": ["activations", "활성값"],
  "hist.gradients": ["gradients", "기울기"],
  "hist.note": ["over {count} test pictures", "테스트 이미지 {count}장의 분포입니다"],
  "no.weights": ["This layer has no weights.", "이 계층에는 가중치가 없습니다."],
  "no.gradients": ["No gradient reaches this layer.", "이 계층에는 기울기가 오지 않습니다."],
  "input.channel": ["Input channel", "입력 채널"],
  "pick": ["Click a pixel, or move with the arrow keys and press Enter.", "픽셀을 누르거나, 화살표 키로 옮긴 뒤 Enter를 누르십시오."],
  "pick.hint": ["Click a pixel of a map above: every product behind its number appears here.", "위의 맵에서 픽셀을 누르면 그 숫자를 이루는 곱이 모두 여기에 나옵니다."],
  "place": ["{layer}, row {row}, column {column}, channel {channel}", "{layer}, {row}행 {column}열, 채널 {channel}"],
  "place.unit": ["{layer}, unit {channel}", "{layer}, 유닛 {channel}"],
  patch: ["patch", "패치"],
  values: ["values", "값"],
  kernel: ["kernel", "커널"],
  products: ["products", "곱"],
  sum: ["sum of all products", "곱의 합"],
  bias: ["bias", "편향"],
  before: ["before activation", "활성화 전"],
  activation: ["activation", "활성화"],
  result: ["result", "결과"],
  "by.channel": ["sum by input channel", "입력 채널별 합"],
  "largest.terms": ["the {shown} largest of {count} products", "곱 {count}개 가운데 큰 것 {shown}개"],
  gradient: ["Where a gradient comes from", "기울기가 오는 길"],
  update: ["One weight, and its next step", "가중치 하나와 다음 스텝"],
  "loss.begins": ["Here the loss begins: the gradient is the probability less the target.", "여기에서 손실이 시작됩니다. 기울기는 확률에서 정답을 뺀 값입니다."],
  "comes.back": ["comes back through {layer}", "{layer}을(를) 거쳐 돌아옵니다"],
  arrives: ["what arrives at an output · slope of its activation · what it changes by", "출력에 도착한 기울기 · 활성화의 기울기 · 출력이 변하는 비율"],
  "sum.terms": ["sum of all terms", "모든 항의 합"],
  "next.step": ["what step {step} would do, with this picture alone", "이 이미지만으로 스텝 {step}에서 하게 될 일"],
  change: ["change", "변화"],
  updated: ["after the step", "스텝 뒤"],
  "line.weight": ["weight", "가중치"],
  "line.gradient": ["gradient", "기울기"],
  "line.penalty": ["penalty", "벌점"],
  "line.clipping": ["clipping", "클리핑"],
  "line.weight decay": ["weight decay", "가중치 감쇠"],
  "line.corrected rate": ["corrected rate", "보정한 학습률"],
  "line.won": ["won", "최댓값"],
  "line.lost": ["lost", "최댓값 아님"],
  rest: ["the rest", "나머지"],
  winner: ["the largest wins", "가장 큰 값이 이깁니다"],
  rivals: ["e^z of each class", "클래스별 e^z"],
  "layers.number": ["the layer's own number: {value}", "계층이 계산한 숫자: {value}"],
  "curve.train": ["training", "학습"],
  "curve.test": ["test", "테스트"],
  "judged": ["{count} judged, {accuracy} right", "{count}장 판정, {accuracy} 정답"],
  "none.judged": ["Judged as soon as it is watched …", "곧 판정합니다 …"],
  "wrong.first": ["wrong ones first", "틀린 것부터"],
  right: ["right", "정답"],
  wrong: ["wrong", "오답"],
  "rows.are": ["rows: what it is; columns: what it was taken for", "행: 실제 클래스, 열: 네트워크의 답"],
  parameters: ["{count} parameters", "매개변수 {count}개"],
  channels: ["{count} of {all} channels", "채널 {all}개 가운데 {count}개"],
};

const LANGUAGES = ["en", "ko"];
let index = 0;

export const languages = { en: "English", ko: "한국어" };

/** Speak this language from now on. */
export function speak(lang) {
  index = Math.max(LANGUAGES.indexOf(lang), 0);
  document.documentElement.lang = LANGUAGES[index];
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = word(element.dataset.word);
  for (const element of document.querySelectorAll("[data-word-label]")) {
    element.setAttribute("aria-label", word(element.dataset.wordLabel));
  }
}

/** A word, with its places filled. */
export function word(name, places = {}) {
  const text = WORDS[name]?.[index] ?? name;
  return text.replace(/\{(\w+)\}/g, (whole, key) => (key in places ? String(places[key]) : whole));
}

/** What the server says in both languages. */
export function either(texts) {
  return texts?.[LANGUAGES[index]] ?? "";
}

export const whole = (value) => new Intl.NumberFormat(LANGUAGES[index]).format(value);

export const percent = (share, digits = 1) =>
  share === null || share === undefined ? "–" : `${(100 * share).toFixed(digits)}\u202f%`;

/** A number with so many significant digits: 0.0123, 1.2e-7, −3.14. */
export function number(value, digits = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text = size < 1e-3 || size >= 1e5 ? value.toExponential(Math.max(digits - 2, 1)) : String(Number(value.toPrecision(digits)));
  return text.replace("-", "−");
}

export const knownWords = () => WORDS;
