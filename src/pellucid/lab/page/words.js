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
  "own.title": ["A picture of your own", "직접 만든 이미지"],
  "own.picture": ["Picture of your own", "직접 만든 이미지"],
  "as.it.is": ["As it was", "원래대로"],
  "board.fitted": ["What you draw is brought to the size, the thickness and the place of the pictures that the network learned from.", "그린 것은 네트워크가 학습한 이미지와 같은 크기, 굵기, 위치로 맞춥니다."],
  "board.whole": ["The whole board becomes the picture.", "그림판 전체가 이미지가 됩니다."],
  "board.keys": ["Drawing board. Draw with the mouse, a finger or a pen; or move with the arrow keys, Space puts the pen down and up.", "그림판. 마우스, 손가락, 펜으로 그리십시오. 화살표 키로 옮기고 Space로 펜을 내리고 올릴 수도 있습니다."],
  undo: ["Undo", "되돌리기"],
  clear: ["Clear", "지우기"],
  "choose.file": ["Choose or drop a picture", "이미지 선택 또는 끌어다 놓기"],
  sending: ["Sending …", "보내는 중 …"],
  "not.sent": ["The picture could not be sent; try again.", "이미지를 보내지 못했습니다. 다시 시도하십시오."],
  "too.large": ["The file has {size} MB, at most {most} MB can be sent; make it smaller.", "파일이 {size} MB입니다. {most} MB까지 보낼 수 있으니 줄이십시오."],
  "looks.swapped": ["This picture is light where those that the network learned from are dark, or the reverse.", "이 이미지는 네트워크가 학습한 이미지와 밝고 어두움이 반대입니다."],
  invert: ["Swap black and white", "흑백 바꾸기"],
  camera: ["Camera", "카메라"],
  "camera.take": ["Take the picture", "촬영"],
  "camera.end": ["Switch off", "끄기"],
  "camera.none": ["The browser gives no camera here: it does so on this machine itself, or over https.", "여기에서는 브라우저가 카메라를 내주지 않습니다. 이 컴퓨터에서 열거나 https로 열어야 합니다."],
  "camera.refused": ["There is no camera, or the browser may not use it.", "카메라가 없거나 브라우저에 사용 권한이 없습니다."],
  probe: ["What the network sees", "네트워크가 보는 이미지"],
  "probe.keys": ["The picture. The arrow keys move it; with the brush they move the brush, and Space paints.", "이미지. 화살표 키로 이미지를 옮깁니다. 붓을 골랐으면 붓을 옮기고 Space로 칠합니다."],
  "for.class": ["For the class", "클래스"],
  "most.probable": ["the most probable one", "확률이 가장 높은 클래스"],
  overlay: ["Draw over it", "겹쳐 그리기"],
  "overlay.none": ["nothing", "없음"],
  "overlay.grad_cam": ["Grad-CAM", "Grad-CAM 맵"],
  "overlay.saliency": ["slope of the score", "점수의 기울기"],
  "overlay.difference": ["what the steps changed", "단계에서 바뀐 것"],
  "overlay.grad_cam.note": ["Where the maps of {layer} speak for the class.", "{layer}의 맵이 이 클래스를 뒷받침하는 곳입니다."],
  "overlay.saliency.note": ["How the score of the class changes with each pixel.", "픽셀마다 클래스의 점수가 변하는 비율입니다."],
  "overlay.difference.note": ["What became brighter or darker since the first step.", "첫 단계부터 밝아지거나 어두워진 곳입니다."],
  tool: ["Mouse and keys", "마우스와 키"],
  "tool.move": ["move", "옮기기"],
  "tool.brush": ["cover with grey", "회색으로 가리기"],
  "tool.erase": ["uncover", "가린 것 걷기"],
  "tool.move.note": ["Drag the picture, or use the arrow keys.", "이미지를 끌거나 화살표 키로 옮기십시오."],
  "tool.brush.note": ["Paint over a part: does the network need it?", "일부를 칠해 가려 보십시오. 네트워크에 필요한 부분입니까?"],
  "tool.erase.note": ["Paint over what is covered.", "가린 곳을 다시 칠하면 걷힙니다."],
  "brush.size": ["Brush", "붓 크기"],
  move: ["Move the picture", "이미지 옮기기"],
  "move.ArrowUp": ["Up", "위로"],
  "move.ArrowDown": ["Down", "아래로"],
  "move.ArrowLeft": ["Left", "왼쪽으로"],
  "move.ArrowRight": ["Right", "오른쪽으로"],
  "change.turn": ["Turned", "회전"],
  "change.size": ["Size", "크기"],
  "change.noise": ["Noise", "잡음"],
  "would.change": ["What would have to change?", "무엇이 바뀌어야 합니까?"],
  "step.size": ["Largest change of a pixel", "픽셀의 최대 변화"],
  "step.choose": ["Choose a class first", "먼저 클래스를 고르십시오"],
  "step.towards": ["One step towards {label}", "{label} 쪽으로 한 단계"],
  "step.back": ["Step back", "한 단계 뒤로"],
  "step.note": ["Each step changes the picture along the slope of the class's score.", "단계마다 클래스 점수의 기울기를 따라 이미지를 바꿉니다."],
  "steps.taken": ["{count} steps so far", "지금까지 {count}단계"],
  stability: ["What each layer forgives", "계층이 견디는 변화"],
  "forgives.how": ["How much the numbers of each layer have changed, relative to what they were.", "계층의 숫자가 원래에 비해 얼마나 바뀌었는지 보여 줍니다."],
  "forgives.hint": ["Move, turn or cover the picture: here you see how much of that reaches each layer.", "이미지를 옮기고, 돌리고, 가려 보십시오. 그 변화가 계층마다 얼마나 남는지 여기에 나옵니다."],
  "the.picture": ["the picture", "이미지"],
  "maps.beside": ["Maps of {layer}: above as they were, below now", "{layer}의 맵: 위는 원래, 아래는 지금"],
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
